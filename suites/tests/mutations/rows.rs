//! The rows of the tables in the suites' files, as text: what a person could have
//! written wrong.

use harness::suite::SourceFile;

/// A row, where it stands.
#[derive(Clone, Debug)]
pub struct Row {
    /// The file, as `drivers/libpq.toml`.
    pub file: String,
    /// The key of its table, as `tries`.
    pub table: String,
    /// Its line, from 0.
    pub line: usize,
    /// The line of its table's header, from 0.
    pub header: usize,
    /// The headings left of the arrow.
    pub columns: Vec<String>,
    /// What stands left of the arrow.
    pub coordinates: Vec<String>,
    /// What stands right of it.
    pub fields: Vec<String>,
}

impl Row {
    /// The row with other fields, as a line of the file.
    pub fn with(&self, fields: &[String]) -> String {
        format!("{} -> {}", self.coordinates.join("  "), fields.join("  "))
    }

    /// The row with another coordinate.
    pub fn at(&self, column: usize, coordinate: &str) -> String {
        let mut row = self.clone();
        coordinate.clone_into(&mut row.coordinates[column]);
        row.with(&self.fields)
    }

    /// Which of its coordinates is a range of engines.
    pub fn engine(&self) -> Option<usize> {
        self.columns.iter().position(|column| column == "engine")
    }
}

/// The rows of all tables in a file.
pub fn rows(file: &SourceFile) -> Vec<Row> {
    let mut rows = Vec::new();
    // The key of the table that is open, and its header once that was read.
    let mut key: Option<&str> = None;
    let mut header: Option<(usize, Vec<String>)> = None;
    for (line, text) in file.text.lines().enumerate() {
        if let Some((opened, "'''")) = text.split_once(" = ") {
            (key, header) = (Some(opened), None);
        } else if text.starts_with("'''") {
            key = None;
        }
        let (Some(key), Some((left, right))) = (key, text.split_once("->")) else {
            continue;
        };
        let words = left.split_whitespace().map(str::to_owned).collect();
        match &header {
            None => header = Some((line, words)),
            Some((header, columns)) => rows.push(Row {
                file: file.name.clone(),
                table: key.to_owned(),
                line,
                header: *header,
                columns: columns.clone(),
                coordinates: words,
                fields: fields(right),
            }),
        }
    }
    rows
}

fn fields(text: &str) -> Vec<String> {
    let fields = text.split("  ").map(str::trim);
    let fields = fields.filter(|field| !field.is_empty());
    fields.map(str::to_owned).collect()
}

/// The names of a file's answers.
pub fn answers(file: &SourceFile) -> Vec<String> {
    let table: toml::Table = file.text.parse().unwrap();
    let answers = table.get("answers").and_then(toml::Value::as_table);
    answers.map_or_else(Vec::new, |answers| answers.keys().cloned().collect())
}
