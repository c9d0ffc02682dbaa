//! `iterfs complete WORD`: the words that a shell offers in place of an unfinished path.
//!
//! Each line of the output is one word, perhaps followed by a tab and what it means. Whether a
//! word that is written so far is wrong is none of its business: it then offers nothing.

use super::describe::{Column, Description, describe};
use super::locate::{locate, without_terms};
use super::output::print;
use iterfs_mapping::query::ASKS;
use iterfs_mapping::{Format, TableId};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// A word, and its meaning.
type Offer = (String, String);

/// Terms that are not about a column, and their meanings.
const RESERVED: [(&str, &str); 4] = [
    ("top=", "the rows with the largest values: top=N:COLUMN"),
    ("first=", "the first rows: first=N"),
    ("every=", "a pass again and again: every=DURATION"),
    ("whole", "a file with a size"),
];

/// Prints the words that begin with an unfinished one. With `asking`, offers only terms of
/// names below a mount, for commands that complete the names of files themselves.
pub(crate) fn run(word: &str, asking: bool) -> ExitCode {
    let offers = match without_terms(word) {
        table if table.len() < word.len() => of_name(table, &word[table.len() + 1..], asking),
        _ if asking => Vec::new(),
        _ => of_path(word),
    };
    print(|out| {
        for (word, meaning) in &offers {
            match meaning.as_str() {
                "" => writeln!(out, "{word}")?,
                meaning => writeln!(out, "{word}\t{meaning}")?,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Files, and the tables that a relative path may name.
fn of_path(word: &str) -> Vec<Offer> {
    let (directory, begun) = match word.rfind('/') {
        Some(slash) => word.split_at(slash + 1),
        None => ("", word),
    };
    let mut offers = Vec::new();
    let listed = Path::new(if directory.is_empty() { "." } else { directory });
    for entry in fs::read_dir(listed).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with(begun) && (!name.starts_with('.') || begun.starts_with('.')) {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            offers.push((format!("{directory}{name}{slash}"), String::new()));
        }
    }
    let tables = TableId::all().map(TableId::documented_path);
    let named = tables.filter(|path| path.starts_with(word) && !path.contains('<'));
    offers.extend(named.map(|path| (path, String::new())));
    offers.sort();
    offers.dedup();
    offers
}

/// Names that ask a table, with one more term or with more of the last one.
fn of_name(table: &str, terms: &str, asking: bool) -> Vec<Offer> {
    let Ok(place) = locate(Path::new(table)) else {
        return Vec::new();
    };
    if asking && !place.inside {
        return Vec::new();
    }
    let Ok(description) = describe(&place) else {
        return Vec::new();
    };
    let asks = char::from(ASKS);
    let (before, last) = match terms.rfind(',') {
        Some(comma) => terms.split_at(comma + 1),
        None => ("", terms),
    };
    let mut offers = of_term(&description, before, last);
    for (term, _) in &mut offers {
        *term = format!("{table}{asks}{before}{term}");
    }
    offers
}

/// Terms that begin with `last`, after other terms.
fn of_term(description: &Description, before: &str, last: &str) -> Vec<Offer> {
    if let Some((name, value)) = last.split_once('=') {
        return of_value(description, name, value);
    }
    let columns = description.columns.iter();
    if let Some(begun) = last.strip_prefix('+') {
        let columns = columns.filter(|column| column.name.starts_with(begun));
        return columns
            .map(|column| (format!("+{}", column.name), column.meaning.clone()))
            .collect();
    }
    let mut offers = Vec::new();
    for column in columns.filter(|column| column.name.starts_with(last)) {
        let is_named = before.split(',').any(|term| term == column.name);
        if !is_named {
            offers.push((column.name.clone(), column.meaning.clone()));
        }
        if column.name == last {
            offers.push((format!("{last}="), format!("equal to {}", value_of(column))));
            offers.push((
                format!("{last}!="),
                format!("unequal to {}", value_of(column)),
            ));
        }
    }
    let is_column = description.columns.iter().any(|column| column.name == last);
    if is_column {
        let formats = Format::ALL.into_iter().map(Format::suffix);
        let suffixes = formats.filter(|suffix| !suffix.is_empty());
        offers.extend(suffixes.map(|suffix| (format!("{last}{suffix}"), "a format".into())));
    }
    let reserved = RESERVED.into_iter().filter(|(term, _)| {
        let is_written = before.split(',').any(|other| other.starts_with(term));
        term.starts_with(last) && !is_written
    });
    offers.extend(reserved.map(|(term, meaning)| (term.into(), meaning.into())));
    offers
}

/// Terms with a value that begins with `begun`.
fn of_value(description: &Description, name: &str, begun: &str) -> Vec<Offer> {
    let term = |value: &str| (format!("{name}={value}"), String::new());
    let examples: &[&str] = match name {
        "first" => &["10", "100", "1000"],
        "every" => &["500ms", "1s", "10s", "1m"],
        "top" => return of_top(description, begun),
        _ => &[],
    };
    let column = name.strip_suffix('!').unwrap_or(name);
    let column = (description.columns.iter()).find(|other| other.name == column);
    let names = column.map(Column::names).unwrap_or_default();
    let values = names.iter().chain(examples).filter(|value| {
        let front = value.get(..begun.len());
        front.is_some_and(|front| front.eq_ignore_ascii_case(begun))
    });
    values.map(|value| term(value)).collect()
}

/// Terms such as `top=10:size`.
fn of_top(description: &Description, begun: &str) -> Vec<Offer> {
    let Some((count, column)) = begun.split_once(':') else {
        let counts = ["10:", "20:", "100:"];
        let counts = counts.iter().filter(|count| count.starts_with(begun));
        return counts
            .map(|count| (format!("top={count}"), String::new()))
            .collect();
    };
    let (sign, begun) = match column.strip_prefix('-') {
        Some(begun) => ("-", begun),
        None => ("", column),
    };
    let columns = description.columns.iter().filter(|column| {
        let is_number = matches!(column.kind.as_str(), "number" | "bytes" | "nanoseconds");
        is_number && column.name.starts_with(begun)
    });
    columns
        .map(|column| {
            (
                format!("top={count}:{sign}{}", column.name),
                column.meaning.clone(),
            )
        })
        .collect()
}

/// The values of a column, in few words.
fn value_of(column: &Column) -> &str {
    match column.names().is_empty() {
        true => &column.kind,
        false => "a name",
    }
}

#[cfg(test)]
mod tests {
    use super::super::describe::{built_in, own_table};
    use super::*;
    use iterfs_mapping::{Query, Question};

    fn offered(table: &str, before: &str, last: &str) -> Vec<String> {
        let description = built_in(own_table(table).unwrap()).unwrap();
        let offers = of_term(&description, before, last).into_iter();
        offers.map(|(term, _)| term).collect()
    }

    #[test]
    fn columns_values_and_operators_are_offered() {
        let sta = ["state"].map(String::from);
        assert_eq!(offered("net/tcp", "", "sta"), sta);
        let state = offered("net/tcp", "", "state");
        for term in ["state=", "state!=", "state.json", "state.csv"] {
            assert!(state.contains(&term.to_owned()), "{state:?}");
        }
        assert_eq!(offered("net/tcp", "uid,", "state=li"), ["state=LISTEN"]);
        assert_eq!(
            offered("net/tcp", "", "state!=CLOSE_"),
            ["state!=CLOSE_WAIT"]
        );
        assert_eq!(offered("processes", "", "top=5:-rs"), ["top=5:-rss"]);
        assert_eq!(offered("processes", "", "top=1"), ["top=10:", "top=100:"]);
        assert_eq!(
            offered("net/netlink", "", "dump="),
            ["dump=true", "dump=false"]
        );
        assert_eq!(offered("tasks", "whole,", "who"), [""; 0]);
        assert_eq!(offered("tasks", "comm,", "com"), [""; 0]);
        assert!(offered("tasks", "", "+com").contains(&"+comm".into()));
        let all = offered("tasks", "", "");
        assert!(
            all.contains(&"pid".into()) && all.contains(&"every=".into()),
            "{all:?}"
        );
    }

    /// Every offered term is valid once it is complete.
    #[test]
    fn every_offered_term_fits_its_table() {
        for table in TableId::all() {
            let schema = super::super::reference::schema(table.table()).unwrap();
            let description = built_in(table).unwrap();
            let mut asked = 0;
            let mut check = |term: &str| {
                if term.ends_with('=') || term.ends_with(':') {
                    return;
                }
                let (term, _) = Format::split(term);
                let query = Query::parse(term.as_bytes()).unwrap();
                let question = Question::of(&query, &schema);
                assert!(question.is_ok(), "{term}: {question:?}");
                asked += 1;
            };
            for column in &description.columns {
                let name = &column.name;
                let begun = [name.clone(), format!("{name}="), format!("{name}!=")];
                for begun in begun
                    .into_iter()
                    .chain([format!("top=3:{name}"), "+".into()])
                {
                    let offers = of_term(&description, "", &begun);
                    offers.iter().for_each(|(term, _)| check(term));
                }
            }
            assert!(asked > 0);
        }
    }
}
