//! Cells that need the same policy.

use crate::{policy::Policy, suite::Cell};

/// One policy, and the cells to play under it.
#[derive(Debug)]
pub struct Group {
    /// What the server is switched to.
    pub policy: Policy,
    /// In the plan's order.
    pub cells: Vec<Cell>,
}

impl Group {
    /// Whether a cell of it is played at all.
    #[must_use]
    pub fn is_played(&self) -> bool {
        !self.cells.iter().all(Cell::is_skipped)
    }
}

/// Groups cells by policy, in the order in which policies first occur.
#[must_use]
pub fn by_policy(cells: &[Cell]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for cell in cells {
        let policy = cell.case.policy();
        match groups.iter_mut().find(|group| group.policy == policy) {
            Some(group) => group.cells.push(cell.clone()),
            None => groups.push(Group {
                policy,
                cells: vec![cell.clone()],
            }),
        }
    }
    groups
}
