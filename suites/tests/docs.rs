//! What the documents show is what the program reads: their suite files are read
//! with the built-in ones, their commands have the options that they show, their
//! links lead somewhere, and they name every word, field and variable.

mod program;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use harness::{
    suite::{Data, Refusal, SourceFile},
    tap::Wire,
};

/// A fenced block: its document, the words behind the opening fence, its text.
struct Block {
    document: String,
    info: String,
    text: String,
}

#[test]
fn whole_files_are_read_with_the_built_in_ones() {
    let whole = |block: &Block| block.info.starts_with("toml ");
    let blocks: Vec<Block> = blocks().into_iter().filter(whole).collect();
    assert!(blocks.len() >= 3, "{} whole files", blocks.len());
    let mut files = suites::data::built_in();
    for block in blocks {
        let name = block.info.trim_start_matches("toml ").to_owned();
        assert!(files.iter().all(|file| file.name != name), "{name}");
        files.push(SourceFile {
            name,
            text: block.text,
        });
    }
    let data = Data::parse(&files).unwrap();
    for (suite, driver) in [
        ("keys", "libpq"),
        ("sslmode", "mine"),
        ("identity", "psycopg"),
    ] {
        let mut cases = data.cases.iter();
        assert!(
            cases.any(|case| case.suite.id == suite && case.driver.id == driver),
            "{driver} plays no cell of {suite}"
        );
    }
}

#[test]
fn parts_of_files_are_toml() {
    let parts = blocks().into_iter().filter(|block| block.info == "toml");
    for block in parts {
        if let Err(error) = toml::from_str::<toml::Table>(&block.text) {
            panic!("{}: {error}\n{}", block.document, block.text);
        }
    }
}

#[test]
fn commands_have_the_options_that_are_shown() {
    let mut checked = 0;
    for block in blocks().into_iter().filter(|block| block.info == "sh") {
        let text = block.text.replace("\\\n", " ");
        for line in text.lines().filter_map(|line| line.split('#').next()) {
            let Some((_, command)) = line.split_once("rds-tls ") else {
                continue;
            };
            let command = command.trim_start_matches("-- ");
            let name = command.split_whitespace().next().unwrap();
            let help = program::rds_tls().args([name, "--help"]).output().unwrap();
            assert!(help.status.success(), "{}: {line}", block.document);
            let help = String::from_utf8(help.stdout).unwrap();
            let words = command.split(|c: char| c.is_whitespace() || c == ')');
            for option in words.filter(|word| word.starts_with("--")) {
                let has = |word: &str| word == option;
                assert!(
                    help.split_whitespace().any(has),
                    "{}: {line}",
                    block.document
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked} options");
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for (name, text) in documents() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        let targets = text.split("](").skip(1);
        for target in targets.filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => root().join(&name),
                path => folder.join(path),
            };
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{name}: {target}: {error}"));
            assert!(
                anchor.is_empty() || anchors(&text).contains(anchor),
                "{name}: {target}"
            );
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} links");
}

#[test]
fn the_vocabularies_are_complete() {
    let text = fs::read_to_string(root().join("docs/writing-cases.md")).unwrap();
    let refusals = "no such".parse::<Refusal>().unwrap_err().valid;
    for refusal in refusals.split(", ") {
        assert!(text.contains(&format!("| `{refusal}` |")), "{refusal}");
    }
    let error = "no-such".parse::<Wire>().unwrap_err().to_string();
    let words = error.split_once("the words are ").unwrap().1;
    for word in words.split(|c: char| c.is_whitespace() || c == ',' || c == '`') {
        let name = word.split(':').next().unwrap();
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
        // The words between the names.
        let prose = ["or", "nothing", "for", "a", "new", "TCP", "connection"];
        let prose = prose.iter().chain(&["without", "words", "and", "no"]);
        if is_word && !prose.into_iter().any(|one| one == &name) && !name.ends_with(')') {
            assert!(text.contains(&format!("`{name}")), "{name}");
        }
    }
}

#[test]
fn every_variable_is_described() {
    let described: String = documents().into_iter().map(|(_, text)| text).collect();
    let mut named = BTreeSet::new();
    for folder in ["suites/src", "harness/src", "ci"] {
        variables_in(&root().join(folder), &mut named);
    }
    assert!(named.contains("RDS_TLS_LIBPQ"), "{named:?}");
    for variable in named {
        assert!(described.contains(&format!("`{variable}`")), "{variable}");
    }
}

#[test]
fn every_field_of_json_is_described() {
    let text = fs::read_to_string(root().join("docs/json.md")).unwrap();
    let mut read = 0;
    for entry in fs::read_dir(root().join("harness/src/report/snapshots")).unwrap() {
        let snapshot = fs::read_to_string(entry.unwrap().path()).unwrap();
        let body = snapshot.splitn(3, "---\n").nth(2).unwrap();
        let Ok(json) = serde_json::from_str(body) else {
            continue;
        };
        read += 1;
        let mut fields = BTreeSet::new();
        fields_of(&json, &mut fields);
        for field in fields {
            assert!(text.contains(&format!("`{field}")), "{field}");
        }
    }
    assert!(read >= 2, "{read} snapshots of JSON");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The README and the documents, by their paths.
fn documents() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "suites/workers/CONTRACT.md".into()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        names.push(format!("docs/{}", entry.unwrap().file_name().display()));
    }
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(root().join(&name)).unwrap();
            (name, text)
        })
        .collect()
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (document, text) in documents() {
        let mut open = false;
        for line in text.lines() {
            match line.strip_prefix("```") {
                Some(info) if !open => {
                    blocks.push(Block {
                        document: document.clone(),
                        info: info.to_owned(),
                        text: String::new(),
                    });
                    open = true;
                }
                Some(_) => open = false,
                None if open => {
                    let text = &mut blocks.last_mut().unwrap().text;
                    text.push_str(line);
                    text.push('\n');
                }
                None => {}
            }
        }
        assert!(!open, "{document}: a block without an end");
    }
    blocks
}

/// The headings, as links name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            let words: String = line.trim_start_matches('#').chars().filter(kept).collect();
            words.trim().to_lowercase().replace(' ', "-")
        })
        .collect()
}

fn variables_in(path: &Path, named: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            variables_in(&entry.unwrap().path(), named);
        }
        return;
    }
    // Some fixtures are archives.
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_' || c.is_numeric()));
    let is_variable = |word: &&str| word.starts_with("RDS_") && !word.ends_with('_');
    named.extend(words.filter(is_variable).map(str::to_owned));
}

fn fields_of(json: &serde_json::Value, fields: &mut BTreeSet<String>) {
    match json {
        serde_json::Value::Object(object) => {
            for (field, value) in object {
                fields.insert(field.clone());
                fields_of(value, fields);
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                fields_of(value, fields);
            }
        }
        _ => {}
    }
}
