//! The position of a pass over cgroups between two walks.
//!
//! The tree may change between two walks, but cgroups that stay keep their order: a cgroup is
//! never moved, and it comes after its older siblings, whose ids are lower (the kernel assigns
//! increasing ids as it adds cgroups, both under cgroup_mutex). The position is therefore the
//! last cgroup shown, or if that is gone, its id and its parent. Memory use is bounded by the
//! depth of the tree.

/// A position on the way down, in pre-order.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// The last cgroup shown, on top of those of its ancestors that were shown.
    shown: Vec<u64>,
    /// The children of that cgroup up to this id are done.
    after: u64,
}

impl Position {
    /// The cgroup that the next walk looks for; 0 before the first walk.
    pub(crate) fn at(&self) -> u64 {
        self.shown.last().copied().unwrap_or(0)
    }

    /// The id up to which the children of that cgroup are done.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// Notes that a cgroup with this parent was shown.
    pub(crate) fn shown(&mut self, id: u64, parent: u64) {
        while self.shown.last().is_some_and(|&last| last != parent) {
            self.shown.pop();
        }
        self.shown.push(id);
        self.after = 0;
    }

    /// The cgroup is gone: falls back to its parent. Returns whether there is one.
    pub(crate) fn gone(&mut self) -> bool {
        self.after = self.shown.pop().unwrap_or(0);
        !self.shown.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The id and the parent of each cgroup; the first is the root.
    type Tree = BTreeMap<u64, u64>;

    /// Ids and levels in pre-order.
    fn pre_order(tree: &Tree, id: u64, level: u32, order: &mut Vec<(u64, u32)>) {
        order.push((id, level));
        for (&child, _) in tree.iter().filter(|(_, parent)| **parent == id) {
            pre_order(tree, child, level + 1, order);
        }
    }

    /// The cgroups that a walk shows, as `is_wanted()` of cgroups.bpf.c decides; none if the
    /// cgroup of the position is gone.
    fn walk(tree: &Tree, position: &Position) -> Option<Vec<u64>> {
        let mut order = Vec::new();
        pre_order(tree, 1, 0, &mut order);
        let (at, after) = (position.at(), position.after());
        if at == 0 {
            return Some(order.into_iter().map(|(id, _)| id).collect());
        }
        let start = order.iter().position(|(id, _)| *id == at)?;
        let met = order[start].1 + 1;
        let behind = order.into_iter().skip(start + 1);
        let wanted = behind
            .skip_while(|&(id, level)| level > met || level == met && id <= after)
            .map(|(id, _)| id);
        Some(wanted.collect())
    }

    proptest! {
        #[test]
        fn nothing_is_shown_twice_and_cgroups_that_stay_are_shown(
            start in proptest::collection::vec(any::<prop::sample::Index>(), 1..40),
            rounds in proptest::collection::vec(
                (1usize..6, proptest::collection::vec(any::<(bool, prop::sample::Index)>(), 0..8)), 1..60),
        ) {
            let mut tree = Tree::from([(1, 0)]);
            let mut next = 2;
            let mut add = |tree: &mut Tree, index: prop::sample::Index| {
                let parents: Vec<_> = tree.keys().copied().collect();
                tree.insert(next, *index.get(&parents));
                next += 1;
            };
            start.into_iter().for_each(|index| add(&mut tree, index));
            let mut stays = tree.clone();
            let (mut position, mut shown) = (Position::default(), Vec::new());
            let mut changes = rounds.into_iter();
            loop {
                let (room, changes) = changes.next().unwrap_or((9, Vec::new()));
                match walk(&tree, &position) {
                    None => prop_assert!(position.gone(), "the root stays"),
                    Some(found) if found.is_empty() => break,
                    Some(found) => for id in found.into_iter().take(room) {
                        position.shown(id, tree[&id]);
                        shown.push(id);
                    },
                }
                for (adds, index) in changes {
                    let leaves: Vec<_> = tree.keys().copied()
                        .filter(|id| *id != 1 && !tree.values().any(|parent| parent == id))
                        .collect();
                    if adds {
                        add(&mut tree, index);
                    } else if !leaves.is_empty() {
                        tree.remove(index.get(&leaves));
                        stays.remove(index.get(&leaves));
                    }
                }
            }
            let mut once = shown.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), shown.len(), "{:?}", shown);
            for id in stays.keys() {
                prop_assert!(shown.contains(id), "{} of {:?}", id, shown);
            }
        }
    }
}
