//! The plot: time a row by rows, and what it is made of.

use super::groups::scaling::SIDES;
use super::groups::stages::ROWS;
use super::report::{Figure, Report};
use std::fmt::Write as _;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 380.0;
/// Where the chart of times a row lies: left, top, right, bottom.
const CHART: [f64; 4] = [80.0, 50.0, 420.0, 320.0];
/// The stages, in their order.
const COLOURS: [&str; 4] = ["#4477aa", "#66ccee", "#ccbb44", "#ee6677"];

/// An SVG of a run.
pub fn drawn(report: &Report) -> String {
    let of = |name: &'static str| {
        report
            .figures
            .iter()
            .filter(move |figure| figure.name == name)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let curves = SIDES.map(|side| {
        // "<rows> rows, <side>"
        let points = of("scaling").filter(|figure| figure.what.ends_with(&format!("rows, {side}")));
        points
            .filter_map(|figure| Some((figure.what.split(' ').next()?.parse().ok()?, figure)))
            .collect::<Vec<(f64, &Figure)>>()
    });
    if curves.iter().all(|points| points.len() > 1) {
        times(&mut svg, &curves);
    }
    let stages: Vec<&Figure> = of(ROWS[0]).take(COLOURS.len()).collect();
    if !stages.is_empty() {
        shares(&mut svg, &stages);
    }
    svg + "</svg>\n"
}

/// Medians with their quartiles; rows on a logarithmic axis, time from zero.
fn times(svg: &mut String, curves: &[Vec<(f64, &Figure)>; 2]) {
    let [left, top, right, bottom] = CHART;
    let ours = &curves[0];
    let (first, last) = (ours[0].0.log10(), ours[ours.len() - 1].0.log10());
    let most = curves
        .iter()
        .flatten()
        .map(|(_, figure)| figure.value.upper);
    let most = (most.fold(1.0, f64::max) * 1.1 / 100.0).ceil() * 100.0;
    let x = |rows: f64| left + (rows.log10() - first) / (last - first) * (right - left);
    let y = |time: f64| bottom - time / most * (bottom - top);

    text(svg, left, 28.0, "start", "files: nanoseconds a row");
    for part in 0..=4 {
        let time = most * f64::from(part) / 4.0;
        line(svg, [left, y(time), right, y(time)], "#dddddd");
        text(svg, left - 8.0, y(time) + 4.0, "end", &format!("{time:.0}"));
    }
    for ((points, colour), name) in curves.iter().zip(["#4477aa", "#999999"]).zip(SIDES) {
        let mut path = String::new();
        for (rows, figure) in points {
            let (x, value) = (x(*rows), figure.value);
            let _ = write!(path, "{x:.1},{:.1} ", y(value.median));
            line(svg, [x, y(value.lower), x, y(value.upper)], colour);
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.trim_end()
        );
        let (rows, figure) = points[points.len() / 2];
        text(svg, x(rows), y(figure.value.upper) - 8.0, "middle", name);
    }
    for (rows, _) in ours {
        let thousands = format!("{:.0}k", rows / 1e3);
        text(svg, x(*rows), bottom + 18.0, "middle", &thousands);
    }
    let axis = "rows; medians and quartiles";
    text(svg, (left + right) / 2.0, bottom + 40.0, "middle", axis);
}

/// A bar of what a pass is made of.
fn shares(svg: &mut String, stages: &[&Figure]) {
    let [_, top, right, bottom] = CHART;
    let left = right + 60.0;
    let all: f64 = stages.iter().map(|stage| stage.value.median.max(0.0)).sum();
    text(svg, left, 28.0, "start", "files, 1M rows: processor time");
    let mut y = bottom;
    for (stage, colour) in stages.iter().zip(COLOURS) {
        let share = stage.value.median.max(0.0) / all;
        let height = share * (bottom - top);
        y -= height;
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"40\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        );
        let what = format!(
            "{} {:.0} ms, {:.0}%",
            stage.what,
            stage.value.median,
            share * 100.0
        );
        text(svg, left + 50.0, y + height / 2.0 + 4.0, "start", &what);
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

fn line(svg: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}
