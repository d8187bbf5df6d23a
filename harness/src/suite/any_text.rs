//! Whatever a data file holds, reading it gives an error or a value.

use proptest::{collection::vec, prelude::*};

use super::{Data, Known, Profile, SourceFile, Suite, row};

/// Words that lead somewhere, often enough.
const WORDS: [&str; 38] = [
    "\n",
    "\n\n",
    " ",
    "  ",
    "->",
    " -> ",
    "*",
    ".",
    "!",
    ",",
    "|",
    "-",
    "=",
    " = ",
    "'''",
    "'''\n",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "a",
    "plaintext",
    "encrypted",
    "refused",
    "tls name",
    "sslrequest",
    "S",
    "hello",
    "alert:",
    "error:28000",
    "since",
    "until 14",
    "says",
    "skip:",
    "18",
    "é",
    "#",
];

/// The head and the tail of a file around what is made up.
const SUITE: (&str, &str) = (
    "[suite]\nid = \"s\"\ntitle = \"t\"\nclaim = \"C\"\nsource = \"s\"\n[axes.one]\na = {}\n\
     [axes.two]\na = {}\n[[table]]\ndrivers = [\"d\"]\nrows = '''\none two -> outcome  wire\n",
    "\n'''\n",
);
const KNOWN: (&str, &str) = (
    "[[known]]\nreason = \"r\"\nlink = \"l\"\ncells = \"s/d/*\"\nseen = '''",
    "'''\n",
);
const PROFILE: (&str, &str) = (
    "[driver]\nid = \"d\"\nname = \"D\"\ndefault = \"\"\nsources = []\n[modes]\n\
     [[configuration]]\nid = \"c\"\ndoes = \"\"\nsource = \"\"\n\
     [[refusal]]\nis = \"tls chain\"\nsource = \"\"\nmessage = '''",
    "'''\n",
);

/// Rows that are right, but for a word now and then.
fn rows() -> impl Strategy<Value = String> {
    let any_of = |words: &'static [&'static str]| proptest::sample::select(words);
    let coordinate = any_of(&["*", "a", ".", "!a", "a,b", ""]);
    let outcome = any_of(&[
        "plaintext",
        "refused tls name",
        "refused authorise hba 28000",
        "x",
    ]);
    let wire = any_of(&[
        "startup",
        "-",
        "sslrequest S hello tls | open",
        "startup error:x",
    ]);
    let note = any_of(&[
        "",
        "",
        "  since 14",
        "  until 18",
        "  since é",
        "  says x",
        "  claim C",
    ]);
    let row = (coordinate.clone(), coordinate, outcome, wire, note)
        .prop_map(|(one, two, said, wire, note)| format!("{one} {two} -> {said}  {wire}{note}"));
    vec(row, 0..4).prop_map(|rows| rows.join("\n"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        rows(),
        vec(proptest::sample::select(&WORDS[..]), 0..40).prop_map(|words| words.concat()),
    ]
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

/// The text alone, and as the middle of a file that is right around it.
fn files(name: &str, (head, tail): (&str, &str), text: &str) -> [SourceFile; 2] {
    [file(name, text), file(name, &format!("{head}{text}{tail}"))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_error_names_a_line_of_the_file(text in text()) {
        let lines = |file: &SourceFile| file.text.matches('\n').count() + 1;
        for file in files("cases/s.toml", SUITE, &text) {
            if let Err(error) = Suite::parse(file.clone()) {
                prop_assert!((1..=lines(&file)).contains(&error.line), "{error}");
            }
        }
        for file in files("known.toml", KNOWN, &text) {
            if let Err(error) = Known::parse(&file) {
                prop_assert!((1..=lines(&file)).contains(&error.line), "{error}");
            }
        }
        for file in files("drivers/d.toml", PROFILE, &text) {
            if let Err(error) = Profile::parse(&file) {
                prop_assert!((1..=lines(&file)).contains(&error.line), "{error}");
            }
        }
    }

    #[test]
    fn rows_are_as_many_as_their_lines(text in text()) {
        let table = format!("one two -> outcome  wire\n{text}");
        if let Ok(rows) = row::parse(&file("cases/s.toml", &table), 1, &table) {
            prop_assert_eq!(rows.columns.len(), 2);
            let lines = table.lines().skip(1).map(str::trim);
            let rows_due = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            prop_assert_eq!(rows.rows.len(), rows_due.count());
        }
    }

    #[test]
    fn all_files_together_are_crossed_or_refused(rows in text(), seen in text()) {
        let claims = file("claims.toml", "[[claim]]\nid = \"C\"\nparagraph = \"\"\nsays = \"\"\n");
        let [_, profile] = files("drivers/d.toml", PROFILE, "x");
        let [_, suite] = files("cases/s.toml", SUITE, &rows);
        let [_, known] = files("known.toml", KNOWN, &seen);
        let _ = Data::parse(&[claims, profile, suite, known]);
    }
}
