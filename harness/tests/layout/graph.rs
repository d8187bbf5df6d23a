//! What uses what, and the circles in it.

use std::collections::{BTreeMap, BTreeSet};

/// A node and its targets, each with one place that shows the use.
#[derive(Debug, Default)]
pub struct Graph(BTreeMap<String, BTreeMap<String, String>>);

impl Graph {
    /// Adds a use; one of itself is none.
    pub fn add(&mut self, from: &str, to: &str, shown_by: String) {
        self.0.entry(to.to_owned()).or_default();
        let targets = self.0.entry(from.to_owned()).or_default();
        if from != to {
            targets.entry(to.to_owned()).or_insert(shown_by);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The strongly connected components of more than `most` nodes.
    pub fn circles(&self, most: usize) -> Vec<BTreeSet<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> = self
            .0
            .keys()
            .map(|node| (node.as_str(), self.reached_from(node)))
            .collect();
        let circles: BTreeSet<BTreeSet<&str>> = reached
            .iter()
            .map(|(node, there)| {
                let back = there.iter().filter(|other| reached[*other].contains(node));
                back.copied().chain([*node]).collect()
            })
            .collect();
        circles.into_iter().filter(|c| c.len() > most).collect()
    }

    fn reached_from(&self, node: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = self.0[node].keys().map(String::as_str).collect();
        while let Some(node) = next.pop() {
            if reached.insert(node) {
                next.extend(self.0[node].keys().map(String::as_str));
            }
        }
        reached
    }

    /// A circle, with each use that is part of it.
    pub fn describe(&self, circle: &BTreeSet<&str>) -> String {
        let mut lines = vec![format!("a circle of {}:", circle.len())];
        for node in circle {
            let inside = (self.0[*node].iter()).filter(|(target, _)| circle.contains(&***target));
            lines.extend(
                inside.map(|(target, shown_by)| format!("  {node} uses {target}, by {shown_by}")),
            );
        }
        lines.join("\n")
    }
}

#[test]
fn a_circle_is_found_and_what_hangs_from_it_is_not_part_of_it() {
    let mut graph = Graph::default();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")] {
        graph.add(from, to, String::new());
    }
    assert_eq!(graph.circles(2), [BTreeSet::from(["a", "b", "c"])]);
    assert!(graph.circles(3).is_empty());
}
