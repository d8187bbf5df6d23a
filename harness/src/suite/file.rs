//! A suite's file: which cells are played, and what is asked of a session.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, ExpectedAnswer, Settings, SourceFile, Table, UnknownWord,
    sees::{self, Sees},
};

/// A suite.
#[derive(Debug)]
pub struct Suite {
    /// `sslmode`.
    pub id: String,
    /// What it finds out, in a line.
    pub title: String,
    /// The documents that it follows.
    pub source: String,
    /// Statements to ask over a session, by the names that `ask` knows.
    pub questions: BTreeMap<String, String>,
    /// What they are answered, by the names that `answers` knows.
    pub answers: BTreeMap<String, Arc<ExpectedAnswer>>,
    /// What is played.
    pub plays: Vec<Play>,
    /// The file, for errors.
    pub file: SourceFile,
}

/// The cells over some axes.
#[derive(Debug)]
pub struct Play {
    /// Its line in the file.
    pub line: usize,
    /// The axes, in the order of the cells' ids, and their values.
    pub axes: Vec<Axis>,
    /// What all its cells set.
    pub sets: Settings,
    /// The drivers that play it; all where empty.
    pub drivers: Vec<String>,
    /// The ways in which a driver is set up that play it.
    pub ways: Ways,
    /// What becomes of sslmode words that a driver refuses.
    pub refused_words: RefusedWords,
    /// Whether the TLS version that comes about is looked at.
    pub checks_version: bool,
    /// What is seen besides outcome and wire: a row for every cell.
    pub sees: Option<Table>,
}

/// An axis in a suite.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// Its values, in their order, with what each sets.
    pub values: Vec<(String, Settings)>,
}

/// Axes by name, each with its values in the file's order.
pub type Axes = BTreeMap<String, Vec<(String, Settings)>>;

/// The ways in which a driver is set up that play a suite.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Ways {
    /// The first one.
    #[default]
    Default,
    /// All that hold the driver to no TLS version and no cipher suite.
    Plain,
    /// The first, and those that hold it to TLS versions.
    Versions,
    /// The first, and those that hold it to cipher suites.
    Ciphers,
    /// Those that name the suite.
    Named,
    /// All.
    All,
}

/// What becomes of sslmode words that a driver refuses.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedWords {
    /// They make no cell.
    #[default]
    Never,
    /// They make one cell each, with the first value on every other axis: what is
    /// refused unread is the same on every server.
    Once,
    /// They make as many cells as any other word.
    All,
}

impl Suite {
    /// Reads `cases/*.toml`; `shared` are the axes that all suites may name.
    ///
    /// # Errors
    /// Names the line of an unknown key, axis, value or answer, and what is valid
    /// there.
    pub fn parse(file: SourceFile, shared: &Axes) -> Result<Self, DataError> {
        let File {
            suite,
            axes,
            questions,
            answers,
            play,
        } = file.parse()?;
        let answers: BTreeMap<String, Arc<ExpectedAnswer>> = (answers.into_iter())
            .map(|(name, text)| {
                let line = file.line(&text.span());
                let answer = ExpectedAnswer::parse(&name, text.as_ref())
                    .map_err(|error| file.error(line, error.to_string()))?;
                Ok((name, Arc::new(answer)))
            })
            .collect::<Result<_, DataError>>()?;
        if let Some(twice) = axes.0.keys().find(|name| shared.contains_key(*name)) {
            let what = format!("the axis `{twice}` is in axes.toml, for all suites");
            return Err(file.error(1, what));
        }
        let all: Axes = (shared.clone().into_iter()).chain(axes.0).collect();
        let mut used = Used::default();
        let plays = (play.into_iter())
            .map(|raw| raw.parse(&file, &all, &answers, &mut used))
            .collect::<Result<Vec<_>, _>>()?;
        let suite = Self {
            id: suite.id,
            title: suite.title,
            source: suite.source,
            questions,
            answers,
            plays,
            file,
        };
        suite.check_used(&used, &all, shared)?;
        Ok(suite)
    }

    /// What a row says beside outcome and wire.
    ///
    /// # Errors
    /// When a note is none, or names an answer that isn't there.
    pub fn sees(&self, row: &super::table::Row) -> Result<Sees, DataError> {
        sees::read(&row.fields, &self.answers).map_err(|what| self.file.error(row.line, what))
    }

    /// An axis of its own, a question or an answer that nothing names.
    fn check_used(&self, used: &Used, all: &Axes, shared: &Axes) -> Result<(), DataError> {
        let idle_axis =
            (all.keys()).find(|name| !shared.contains_key(*name) && !used.axes.contains(name));
        let idle_answer = (self.answers.keys()).find(|name| !used.answers.contains(name));
        let asked = |name: &String| used.questions.contains(name);
        let idle_question = (self.questions.keys()).find(|name| !asked(name));
        let idle = [
            ("axis", idle_axis),
            ("answer", idle_answer),
            ("question", idle_question),
        ];
        for (what, name) in idle {
            if let Some(name) = name {
                let line = self.file.line_of(name);
                return Err(self
                    .file
                    .error(line, format!("nothing uses the {what} `{name}`")));
            }
        }
        let unknown = (used.questions.iter()).find(|name| !self.questions.contains_key(*name));
        match unknown {
            Some(name) => {
                let error = UnknownWord::new("question", name, self.questions.keys());
                Err(self.file.error(self.file.line_of(name), error.to_string()))
            }
            None => Ok(()),
        }
    }
}

/// What plays and rows name.
#[derive(Default)]
struct Used {
    axes: Vec<String>,
    answers: Vec<String>,
    questions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    suite: Head,
    #[serde(default)]
    axes: OrderedAxes,
    #[serde(default)]
    questions: BTreeMap<String, String>,
    #[serde(default)]
    answers: BTreeMap<String, Spanned<String>>,
    play: Vec<RawPlay>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    title: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlay {
    axes: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    sets: Settings,
    #[serde(default)]
    drivers: Vec<String>,
    #[serde(default)]
    ways: Ways,
    #[serde(default)]
    refused_words: RefusedWords,
    #[serde(default)]
    checks_version: bool,
    sees: Option<Spanned<String>>,
}

/// Columns that the table of what is seen may have beside the axes.
pub const SEES_FACTS: [&str; 3] = ["driver", "way", "ciphers"];

impl RawPlay {
    fn parse(
        self,
        file: &SourceFile,
        all: &Axes,
        answers: &BTreeMap<String, Arc<ExpectedAnswer>>,
        used: &mut Used,
    ) -> Result<Play, DataError> {
        let line = file.line(&self.axes.span());
        let axes = (self.axes.as_ref().iter())
            .map(|text| {
                Axis::parse(text.as_ref(), all)
                    .map_err(|unknown| file.error(file.line(&text.span()), unknown.to_string()))
            })
            .collect::<Result<Vec<Axis>, _>>()?;
        used.axes.extend(axes.iter().map(|axis| axis.name.clone()));
        let asks = (axes.iter().flat_map(|axis| &axis.values))
            .map(|(_, settings)| settings)
            .chain([&self.sets])
            .filter_map(|settings| settings.ask.clone());
        used.questions.extend(asks);
        let sees = self
            .sees
            .as_ref()
            .map(|text| Table::parse(file, file.first_row(&text.span()), text.as_ref(), &[]))
            .transpose()?;
        if let Some(table) = &sees {
            let values = |column: &str| -> Option<Vec<String>> {
                if SEES_FACTS.contains(&column) {
                    return Some(words_of(table, column));
                }
                let axis = axes.iter().find(|axis| axis.name == column)?;
                Some(axis.values.iter().map(|(value, _)| value.clone()).collect())
            };
            let mut columns: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
            columns.extend(SEES_FACTS);
            table.check_words(file, &values, &columns)?;
            for row in &table.rows {
                let sees =
                    sees::read(&row.fields, answers).map_err(|what| file.error(row.line, what))?;
                used.answers.extend(sees.answer_name);
            }
        }
        Ok(Play {
            line,
            axes,
            sets: self.sets,
            drivers: self.drivers,
            ways: self.ways,
            refused_words: self.refused_words,
            checks_version: self.checks_version,
            sees,
        })
    }
}

/// The words of a column whose values are a driver's own.
fn words_of(table: &Table, column: &str) -> Vec<String> {
    let nth = table.columns.iter().position(|one| one == column);
    (nth.iter())
        .flat_map(|nth| table.rows.iter().flat_map(|row| row.pattern(*nth).words()))
        .cloned()
        .collect()
}

impl Axis {
    /// Reads `trust` or `leaf=right,other`.
    fn parse(text: &str, all: &Axes) -> Result<Self, UnknownWord> {
        let (name, only) = match text.split_once('=') {
            Some((name, only)) => (name, Some(only)),
            None => (text, None),
        };
        let values = (all.get(name)).ok_or_else(|| UnknownWord::new("axis", name, all.keys()))?;
        let values = match only {
            None => values.clone(),
            Some(only) => (only.split(','))
                .map(|word| {
                    let known = values.iter().find(|(value, _)| value == word);
                    known.cloned().ok_or_else(|| {
                        let valid = values.iter().map(|(value, _)| value.clone());
                        UnknownWord::new("axis value", word, valid)
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            name: name.to_owned(),
            values,
        })
    }
}

/// Axes as a file has them: values keep its order, which cells are played in.
#[derive(Default)]
pub struct OrderedAxes(pub Axes);

impl<'de> Deserialize<'de> for OrderedAxes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let axes = BTreeMap::<String, Values>::deserialize(deserializer)?;
        let axes = axes
            .into_iter()
            .map(|(name, Values(values))| (name, values));
        Ok(Self(axes.collect()))
    }
}

struct Values(Vec<(String, Settings)>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Values;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the values of an axis, each with what it sets")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Values, M::Error> {
                let mut values = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    values.push(entry);
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
