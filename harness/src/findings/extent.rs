//! Where a claim holds, in the words of the axes: the fewest axes that tell the
//! cells that keep it from those that don't, in the fewest letters.

use std::collections::{BTreeMap, BTreeSet};

use crate::suite::Cell;

/// Axes that a description has at most; a longer one helps nobody.
const AXES: usize = 4;

/// In the place of a value, where a cell's table hasn't the axis.
const ABSENT: &str = "(none)";

/// A cell's values by axis, and whether it keeps the claim.
type Point<'a> = (BTreeMap<&'a str, &'a str>, bool);

/// Some values of some axes: the cells that have them all.
type Region<'a> = Vec<(&'a str, BTreeSet<&'a str>)>;

/// Describes where a claim holds: `only where …` or `not where …`.
pub fn describe(kept: &[&Cell], not_kept: &[&Cell]) -> String {
    let points: BTreeSet<Point> = (kept.iter().map(|cell| (coordinates(cell), true)))
        .chain(not_kept.iter().map(|cell| (coordinates(cell), false)))
        .collect();
    let axes: BTreeSet<&str> = points
        .iter()
        .flat_map(|(at, _)| at.keys().copied())
        .collect();
    let axes: Vec<&str> = axes.into_iter().collect();
    for count in 1..=AXES.min(axes.len()) {
        let texts = choices(&axes, count)
            .into_iter()
            .filter_map(|order| told_by(&order, &points));
        if let Some(text) = texts.min_by_key(|text| (text.contains(ABSENT), text.len())) {
            return text;
        }
    }
    format!(
        "only in {} of {} cells",
        kept.len(),
        kept.len() + not_kept.len()
    )
}

fn coordinates(cell: &Cell) -> BTreeMap<&str, &str> {
    let case = &cell.case;
    (case.point.iter())
        .map(|(axis, value)| (axis.as_str(), value.as_str()))
        .chain([
            ("suite", case.suite.id.as_str()),
            ("driver", case.driver.id.as_str()),
            ("way", case.way.id.as_str()),
            ("sslmode", case.sslmode()),
        ])
        .collect()
}

/// All ordered choices of so many axes.
fn choices<'a>(axes: &[&'a str], count: usize) -> Vec<Vec<&'a str>> {
    (0..count).fold(vec![Vec::new()], |choices, _| {
        (choices.iter())
            .flat_map(|chosen| {
                let left = axes.iter().filter(|axis| !chosen.contains(*axis));
                left.map(|axis| [chosen.as_slice(), &[*axis]].concat())
            })
            .collect()
    })
}

/// The description by these axes, where they tell the cells apart.
fn told_by(order: &[&str], points: &BTreeSet<Point>) -> Option<String> {
    let mut apart: BTreeMap<Vec<&str>, bool> = BTreeMap::new();
    for (at, kept) in points {
        let values = (order.iter())
            .map(|axis| at.get(axis).copied().unwrap_or(ABSENT))
            .collect();
        if apart
            .insert(values, *kept)
            .is_some_and(|other| other != *kept)
        {
            return None;
        }
    }
    let apart: Vec<(&[&str], bool)> = (apart.iter())
        .map(|(values, kept)| (values.as_slice(), *kept))
        .collect();
    let text = |kept| write(&regions(order, &apart, kept));
    let (only, not) = (text(true), text(false));
    Some(if only.len() <= not.len() {
        format!("only where {only}")
    } else {
        format!("not where {not}")
    })
}

/// The regions of the points that are `wanted`: values that lead to the same
/// regions stand together, and a part that is as wanted as a whole ends one.
fn regions<'a>(order: &[&'a str], points: &[(&[&'a str], bool)], wanted: bool) -> Vec<Region<'a>> {
    if points.iter().all(|(_, kept)| *kept == wanted) {
        return vec![Vec::new()];
    }
    let Some((axis, rest)) = order.split_first() else {
        return Vec::new();
    };
    let mut parts: BTreeMap<&str, Vec<(&[&str], bool)>> = BTreeMap::new();
    for (values, kept) in points {
        if let Some((value, values)) = values.split_first() {
            parts.entry(value).or_default().push((values, *kept));
        }
    }
    let mut alike: Vec<(Vec<Region>, BTreeSet<&str>)> = Vec::new();
    for (value, points) in parts {
        let below = regions(rest, &points, wanted);
        match alike.iter_mut().find(|(other, _)| *other == below) {
            Some((_, values)) => {
                values.insert(value);
            }
            None => alike.push((below, BTreeSet::from([value]))),
        }
    }
    (alike.into_iter())
        .flat_map(|(below, values)| {
            (below.into_iter()).map(move |region| [vec![(*axis, values.clone())], region].concat())
        })
        .collect()
}

fn write(regions: &[Region]) -> String {
    let values = |values: &BTreeSet<&str>| values.iter().copied().collect::<Vec<_>>().join(", ");
    let region = |region: &Region| {
        let parts = region
            .iter()
            .map(|(axis, of)| format!("{axis} {}", values(of)));
        parts.collect::<Vec<_>>().join(" with ")
    };
    regions.iter().map(region).collect::<Vec<_>>().join("; or ")
}
