//! The ways in which a row can be wrong: each field replaced by another valid value,
//! a range of engines moved by one version, a row or a value left out.

use harness::suite::SourceFile;

use crate::rows::{Row, answers};

/// A file of the suites with one row wrong.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The row, as it is.
    pub row: Row,
    /// What stands there instead.
    pub reads: String,
    /// Lines of the file, from 0, and what each reads instead; nothing where it is
    /// left out.
    edits: Vec<(usize, Option<String>)>,
}

impl Mutant {
    fn fields(row: &Row, fields: &[String]) -> Self {
        let reads = row.with(fields);
        Self {
            row: row.clone(),
            edits: vec![(row.line, Some(reads.clone()))],
            reads,
        }
    }

    /// All files, with the row wrong.
    pub fn of(&self, files: &[SourceFile]) -> Vec<SourceFile> {
        let edit = |file: &SourceFile| {
            if file.name != self.row.file {
                return file.clone();
            }
            let mut lines: Vec<&str> = file.text.lines().collect();
            for (line, text) in &self.edits {
                // An empty line keeps the numbers of those below it.
                lines[*line] = text.as_deref().unwrap_or("");
            }
            SourceFile {
                name: file.name.clone(),
                text: lines.join("\n") + "\n",
            }
        };
        files.iter().map(edit).collect()
    }
}

impl std::fmt::Display for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row { file, line, .. } = &self.row;
        let row = self.row.with(&self.row.fields);
        write!(f, "{file}:{}: `{row}` as `{}`", line + 1, self.reads)
    }
}

/// The mutants of a row among the rows of its file.
pub fn mutants(row: &Row, file: &SourceFile, all: &[Row]) -> Vec<Mutant> {
    let table: Vec<&Row> = all.iter().filter(|one| one.header == row.header).collect();
    let field: Vec<&str> = row.fields.iter().map(String::as_str).collect();
    let wrong = match (row.table.as_str(), field.as_slice()) {
        ("refuses", [refused]) => one_of(&[other(refused, &["parse option", "parse sslmode"])]),
        ("tries", [tries, goes_on]) => tries_and_goes_on(tries, goes_on),
        ("verifies", [verifies, anchors]) => verifies_and_anchors(verifies, anchors),
        ("certificates", [certificate, how]) => certificate_and_how(certificate, how),
        ("admission", [admitted, text]) => admitted_and_text(admitted, text),
        ("encryption", [words]) => one_of(
            &table
                .iter()
                .map(|one| one.fields[0].clone())
                .collect::<Vec<_>>(),
        )
        .into_iter()
        .filter(|fields| fields[0] != *words)
        .collect(),
        ("tries", [outcome, wire, then]) => outcome_wire_and_then(outcome, wire, then, &table),
        ("sees", notes) => notes_of(notes, &answers(file), &table),
        (table, fields) => panic!(
            "{}: no way is known to be wrong in {table}: {fields:?}",
            row.file
        ),
    };
    let mut mutants: Vec<Mutant> = (wrong.iter())
        .filter(|fields| **fields != row.fields)
        .map(|fields| Mutant::fields(row, fields))
        .collect();
    mutants.push(Mutant {
        row: row.clone(),
        reads: "(no such row)".to_owned(),
        edits: vec![(row.line, None)],
    });
    mutants.extend(values_left_out(row));
    mutants.extend(later_engines(row, &table));
    mutants
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn one_of(fields: &[String]) -> Vec<Vec<String>> {
    fields.iter().map(|field| vec![field.clone()]).collect()
}

/// The first that is another.
fn other(word: &str, among: &[&str]) -> String {
    let other = among.iter().find(|one| **one != word);
    (*other.unwrap()).to_owned()
}

fn tries_and_goes_on(tries: &str, goes_on: &str) -> Vec<Vec<String>> {
    match (tries, goes_on) {
        (one, "-") => vec![
            vec![other(one, &["tls", "plaintext"]), "-".to_owned()],
            words(&["tls,plaintext", "any"]),
            words(&["plaintext,tls", "any"]),
        ],
        (several, after) => {
            let turned: Vec<&str> = several.split(',').rev().collect();
            let mut wrong = vec![
                vec![turned.join(","), after.to_owned()],
                vec![turned[0].to_owned(), "-".to_owned()],
                vec![turned[1].to_owned(), "-".to_owned()],
            ];
            let afters = ["any", "N", "28000", "certificate"];
            wrong.extend(afters.map(|after| words(&[several, after])));
            wrong
        }
    }
}

fn verifies_and_anchors(verifies: &str, anchors: &str) -> Vec<Vec<String>> {
    if let Some(refused) = verifies.strip_prefix("refused ") {
        let refused = other(refused, &["tls chain", "tls unsupported"]);
        return vec![
            vec![format!("refused {refused}"), "-".to_owned()],
            words(&["nothing", "none"]),
            words(&["chain", "none"]),
        ];
    }
    let mut wrong = vec![
        words(&["nothing", "none"]),
        words(&["chain", anchors]),
        words(&["chain+name", anchors]),
        words(&["refused tls trust-file", "-"]),
    ];
    let all = ["none", "file", "first", "system"];
    wrong.extend(all.map(|anchors| words(&[verifies, anchors])));
    wrong
}

fn certificate_and_how(certificate: &str, how: &str) -> Vec<Vec<String>> {
    if certificate == "taken" {
        return vec![
            words(&["refused tls chain", "alert:unknown_ca"]),
            words(&["refused tls name", "after"]),
        ];
    }
    let class = other(certificate, &["refused tls chain", "refused tls name"]);
    let alert = other(how, &["alert:unknown_ca", "alert:bad_certificate"]);
    vec![
        words(&["taken", "-"]),
        words(&[&class, how]),
        words(&[certificate, &alert]),
        words(&[certificate, "after"]),
        words(&[certificate, "silent"]),
    ]
}

fn admitted_and_text(admitted: &str, text: &str) -> Vec<Vec<String>> {
    let mut wrong = vec![
        words(&["yes", "-"]),
        words(&["wrong-password", "-"]),
        words(&["no", other(text, &["no-entry", "reject"]).as_str()]),
    ];
    if admitted == "no" {
        wrong.push(words(&[
            "no",
            other(text, &["replication", "no-entry"]).as_str(),
        ]));
        wrong.push(words(&["no", "-"]));
    }
    wrong
}

fn outcome_wire_and_then(
    outcome: &str,
    wire: &str,
    then: &str,
    table: &[&Row],
) -> Vec<Vec<String>> {
    let mut wrong = Vec::new();
    if then == "-" {
        let session = other(outcome, &["encrypted", "plaintext"]);
        wrong.push(words(&[&session, wire, then]));
        wrong.push(words(&["refused authorise hba 28000", wire, "28000"]));
    } else {
        let refusals = ["refused tls handshake", "refused tls version", "@"];
        let refusals = refusals.iter().filter(|one| **one != outcome);
        wrong.extend(refusals.map(|refusal| words(&[refusal, wire, then])));
        wrong.push(words(&["encrypted", wire, "-"]));
        let setbacks = ["N", "handshake", "certificate", "28000", "login"];
        wrong.extend(setbacks.map(|then| words(&[outcome, wire, then])));
    }
    let wires = table
        .iter()
        .map(|one| words(&[outcome, &one.fields[1], then]));
    wrong.extend(wires);
    wrong
}

fn notes_of(notes: &[&str], answers: &[String], table: &[&Row]) -> Vec<Vec<String>> {
    let [note] = notes else {
        panic!("{notes:?}: the ways to be wrong are known of one note");
    };
    let skip = "skip: a mutant".to_owned();
    let among = |kind: &str| {
        let rows = table.iter().map(|one| one.fields[0].clone());
        let mut rows: Vec<String> = rows.filter(|field| field.starts_with(kind)).collect();
        rows.retain(|field| field != note);
        rows.sort();
        rows.dedup();
        rows
    };
    let (kind, name) = note.split_once(' ').unwrap_or((note, ""));
    one_of(&match kind {
        "skip:" => vec!["-".to_owned()],
        "-" => vec![skip, "no-cipher".to_owned()],
        "answers" => {
            // The one before and the one after: those that look most alike.
            let nth = answers.iter().position(|answer| answer == name).unwrap();
            let near = [nth.wrapping_sub(1), nth + 1].into_iter();
            let near = near.filter_map(|nth| Some(format!("answers {}", answers.get(nth)?)));
            near.chain([skip, "-".to_owned()]).collect()
        }
        "cipher" => [among("cipher"), vec!["no-cipher".to_owned(), skip]].concat(),
        "no-cipher" => [among("cipher"), vec!["-".to_owned(), skip]].concat(),
        "common-name" => vec![skip],
        _ => panic!("{note}: no way is known to be wrong"),
    })
}

/// A list of values without one of them, of each column.
fn values_left_out(row: &Row) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (column, coordinate) in row.coordinates.iter().enumerate() {
        let (not, list) = match coordinate.strip_prefix('!') {
            Some(list) => ("!", list),
            None => ("", coordinate.as_str()),
        };
        let values: Vec<&str> = list.split(',').collect();
        if values.len() < 2 || Some(column) == row.engine() {
            continue;
        }
        for without in &values {
            let rest = values.iter().filter(|value| *value != without);
            let rest: Vec<&str> = rest.copied().collect();
            let reads = row.at(column, &format!("{not}{}", rest.join(",")));
            mutants.push(Mutant {
                row: row.clone(),
                edits: vec![(row.line, Some(reads.clone()))],
                reads,
            });
        }
    }
    mutants
}

/// The row begins one version later, and those that end before it end one later;
/// the range alone, one version later.
fn later_engines(row: &Row, table: &[&Row]) -> Vec<Mutant> {
    let Some(column) = row.engine() else {
        return Vec::new();
    };
    let coordinate = &row.coordinates[column];
    let mut mutants = Vec::new();
    for item in coordinate.split(',').filter(|item| *item != "*") {
        let start = item.trim_end_matches('+').split('-').next().unwrap();
        if start == "10" || start.ends_with(".0") {
            continue;
        }
        let later = moved(coordinate, start, 1);
        if let Some(reads) = later.map(|later| row.at(column, &later)) {
            mutants.push(Mutant {
                row: row.clone(),
                edits: vec![(row.line, Some(reads.clone()))],
                reads,
            });
        }
        let edits: Option<Vec<_>> = (table.iter())
            .map(|one| {
                let moved = moved(&one.coordinates[column], start, 1)?;
                Some((one.line, Some(one.at(column, &moved))))
            })
            .collect();
        if let Some(edits) = edits {
            mutants.push(Mutant {
                row: row.clone(),
                reads: format!("{start} one version later, in the whole table"),
                edits,
            });
        }
    }
    mutants
}

/// Ranges of engines with what begins at `start`, and what ends before it, later by
/// some versions; nothing where a range of one version would be none.
fn moved(ranges: &str, start: &str, by: i32) -> Option<String> {
    let (major, minor) = match start.split_once('.') {
        Some((major, minor)) => (Some(major), minor),
        None => (None, start),
    };
    let first: i32 = minor.parse().ok()?;
    let name = |number: i32| match major {
        Some(major) => format!("{major}.{number}"),
        None => number.to_string(),
    };
    let (last, begins, ends) = (name(first - 1), name(first + by), name(first - 1 + by));
    let item = |item: &str| {
        if item == start {
            return None;
        }
        Some(match item.split_once('-') {
            None if item == last => format!("{item}-{ends}"),
            None if item.trim_end_matches('+') == start => format!("{begins}+"),
            Some((from, to)) if from == start && to == begins => begins.clone(),
            Some((from, to)) if from == start => format!("{begins}-{to}"),
            Some((from, to)) if to == last => format!("{from}-{ends}"),
            _ => item.to_owned(),
        })
    };
    let items: Option<Vec<String>> = ranges.split(',').map(item).collect();
    Some(items?.join(","))
}
