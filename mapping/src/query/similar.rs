//! Finds the name that a misspelt one was meant to be.

/// The most similar of some names, if any is similar enough: at most a third of the letters
/// differ.
pub(super) fn most_similar<'a>(
    word: &str,
    names: impl Iterator<Item = &'a str>,
) -> Option<Box<str>> {
    let allowed = (word.chars().count().max(3)) / 3;
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.into())
}

/// The number of letters to insert, remove or replace that turns one word into the other,
/// whatever their case (the distance of Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_found() {
        let names = ["LISTEN", "ESTABLISHED", "CLOSE_WAIT", "pid"];
        let found = |word| most_similar(word, names.into_iter());
        assert_eq!(found("LISTN").as_deref(), Some("LISTEN"));
        assert_eq!(found("listening").as_deref(), Some("LISTEN"));
        assert_eq!(found("pdi"), None);
        assert_eq!(found("pd").as_deref(), Some("pid"));
        assert_eq!(found("elephant"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
