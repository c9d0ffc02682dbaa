//! Writes a run's tables into a document, between markers.

use super::formats;
use super::report::{Figure, Ratio, Report};
use super::spread::Spread;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;

/// The document with the tables of a run between `<!-- name -->` and `<!-- end -->`,
/// and that of the formats, if criterion left files in its directory.
///
/// # Errors
/// If a marker is missing, or a file of criterion's.
pub fn filled(document: &str, report: &Report, criterion: &Path) -> Result<String> {
    let mut parts = vec![
        ("machine", machine(report)),
        ("ratios", ratios(report)),
        ("figures", figures(report, |figure| !is_apart(&figure.name))),
        ("missing", missing(report)),
    ];
    parts.extend(APART.map(|name| {
        let own = |figure: &Figure| figure.name.starts_with(name);
        (name, figures(report, own))
    }));
    if criterion.exists() {
        parts.push(("formats", formats::table(criterion)?));
    }
    let mut text = document.to_owned();
    for (name, part) in parts {
        let marker = format!("<!-- {name} -->");
        let missing = || format!("no {marker} with an end in the document");
        let start = text.find(&marker).with_context(missing)? + marker.len();
        let end = text[start..].find("<!-- end -->").with_context(missing)? + start;
        text.replace_range(start..end, &format!("\n{part}"));
    }
    Ok(text)
}

/// Rows whose figures have tables of their own, by how their names begin.
const APART: [&str; 4] = ["scaling", "stages", "announcement", "first-open"];

fn is_apart(name: &str) -> bool {
    APART.iter().any(|apart| name.starts_with(apart))
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "Linux {}, {} processors ({}), {} MiB. One-minute load at the start: {}.\n",
        machine.kernel, machine.processors, machine.processor, machine.memory, machine.load
    )
}

fn ratios(report: &Report) -> String {
    let mut text = String::from(
        "| row | work | iterfs, ms | peer, ms | ratio | quartiles | least to most | goal | | processors, ms: iterfs / peer | their ratio |\n\
         |---|---|--:|--:|--:|---|---|--:|---|---|--:|\n",
    );
    for ratio in &report.ratios {
        let Ratio {
            ours,
            theirs,
            pairs,
            ..
        } = ratio;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | **{}** | {} to {} | {} to {} | {} | {} | {} / {} | {} |",
            ratio.name,
            ratio.work,
            number(ours.wall.median),
            number(theirs.wall.median),
            number(ratio.median),
            number(pairs.lower),
            number(pairs.upper),
            number(pairs.min),
            number(pairs.max),
            goal(ratio.goal),
            match ratio.is_steady() {
                true => verdict(ratio.met()).to_owned(),
                false => format!("{} (unsteady)", verdict(ratio.met())),
            },
            number(ours.cpu.median),
            number(theirs.cpu.median),
            number(ratio.of_processors()),
        );
    }
    text
}

fn figures(report: &Report, wanted: impl Fn(&Figure) -> bool) -> String {
    let mut text = String::from(
        "| row | what | median | least to most | goal | |\n|---|---|--:|---|--:|---|\n",
    );
    for figure in report.figures.iter().filter(|figure| wanted(figure)) {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} {} | {} | {} | {} |",
            figure.name,
            figure.what,
            number(figure.value.median),
            figure.unit,
            range(&figure.value),
            goal(figure.goal),
            verdict(figure.met()),
        );
    }
    text
}

fn missing(report: &Report) -> String {
    let lines = report.missing.iter();
    lines
        .map(|row| format!("Not measured: {}: {}.\n", row.name, row.why))
        .collect()
}

fn range(spread: &Spread) -> String {
    match spread.runs {
        1 => "once".into(),
        runs => format!(
            "{} to {}, {runs} runs",
            number(spread.min),
            number(spread.max)
        ),
    }
}

fn goal(goal: Option<f64>) -> String {
    goal.map_or("–".into(), number)
}

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "",
    }
}

/// Three digits that count, all of those before the point.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size == 0.0 || size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before() {
        let markers = ["machine", "ratios", "figures", "missing"];
        let markers = markers.iter().chain(&APART);
        let empty: String = markers
            .map(|name| format!("<!-- {name} -->old<!-- end -->\n"))
            .collect();
        let (report, none) = (Report::default(), Path::new("nowhere"));
        let once = filled(&empty, &report, none).unwrap();
        assert!(!once.contains("old"));
        assert_eq!(filled(&once, &report, none).unwrap(), once);
        assert!(filled("nothing", &report, none).is_err());
    }

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0, 0.01333, 0.3, 1.5, 12.34, 1234.5].map(number);
        assert_eq!(shown, ["0", "0.0133", "0.300", "1.50", "12.3", "1234"]);
    }
}
