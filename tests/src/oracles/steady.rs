//! Comparing with what moves: an oracle is asked before and after.

/// How often to try again before concluding that it never stands still.
const ATTEMPTS: u32 = 200;

/// Returns an oracle's answer before a table was read, the table, and the answer after,
/// once the two answers are the `same`.
pub fn steadily<O, T>(
    oracle: impl Fn() -> O,
    table: impl Fn() -> T,
    same: impl Fn(&O, &O) -> bool,
) -> (O, T, O) {
    for _ in 0..ATTEMPTS {
        let before = oracle();
        let table = table();
        let after = oracle();
        if same(&before, &after) {
            return (before, table, after);
        }
    }
    unreachable!("the oracle changed each of {ATTEMPTS} times")
}
