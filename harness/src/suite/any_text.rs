//! Whatever a data file holds, reading it gives an error or a value.

use proptest::{collection::vec, prelude::*};

use super::{Data, SourceFile, Table};
use crate::fixture;

/// Words that lead somewhere, often enough.
const WORDS: [&str; 36] = [
    "\n",
    "\n\n",
    " ",
    "  ",
    "->",
    "  -> ",
    "*",
    "!",
    ",",
    "|",
    "-",
    "=",
    " = ",
    "\"\"\"",
    "\"\"\"\n",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "plaintext",
    "encrypted",
    "refused",
    "tls name",
    "sslrequest",
    "hello",
    "alert:",
    "error:28000",
    "engine",
    "10-13",
    "14+",
    "taken",
    "skip:",
    "18",
    "é",
    "#",
];

/// The files of the tiny suite.
fn files() -> Vec<SourceFile> {
    fixture::files(&[
        ("cases/t.toml", fixture::SUITE),
        ("claims.toml", fixture::CLAIMS),
        ("drivers/d.toml", fixture::DRIVER),
        ("known.toml", ""),
    ])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        vec(proptest::sample::select(&WORDS[..]), 0..40).prop_map(|words| words.concat()),
        proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
    ]
}

/// Rows that are right, but for a word now and then.
fn rows() -> impl Strategy<Value = String> {
    let any_of = |words: &'static [&'static str]| proptest::sample::select(words);
    let coordinate = any_of(&["*", "a", "!a", "a,b", "a,", ""]);
    let engine = any_of(&["*", "10-13", "11.4+,14+", "é", "9"]);
    let field = any_of(&["x", "x y", "-", "x  y", ""]);
    (coordinate, engine, field)
        .prop_map(|(one, engine, field)| format!("{one} {engine} -> {field}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A file of which a part is replaced, wherever it stands.
    #[test]
    fn an_error_names_a_line_of_a_file(nth in 0..9_usize, at in 0.0..1.0_f64, cut in 0..60_usize, text in text()) {
        let mut files = files();
        let nth = nth % files.len();
        let file = &mut files[nth];
        let mut chars: Vec<char> = file.text.chars().collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let start = (chars.len() as f64 * at) as usize;
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, text.chars());
        file.text = chars.into_iter().collect();
        if let Err(error) = Data::parse(&files) {
            let lines = |file: &SourceFile| file.text.matches('\n').count() + 1;
            if let Some(file) = files.iter().find(|file| file.name == error.file) {
                prop_assert!((1..=lines(file)).contains(&error.line), "{error}");
            }
        }
    }

    #[test]
    fn rows_are_as_many_as_their_lines(rows in vec(rows(), 0..4)) {
        let text = format!("one engine -> field\n{}", rows.join("\n"));
        let file = SourceFile { name: "t.toml".to_owned(), text: text.clone() };
        if let Ok(table) = Table::parse(&file, 1, &text, &["field"]) {
            prop_assert_eq!(table.rows.len(), rows.len());
        }
    }
}
