//! The modules of a crate, and the file where a path of theirs leads.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    slice,
};

use super::{
    paths::{Named, named},
    tokens::{tokens, without_tests},
};

/// A module's path from the crate's root; the root's is empty.
type Name = Vec<String>;

/// The modules of a crate that are no test code.
#[derive(Debug)]
pub struct Modules(BTreeMap<Name, Module>);

#[derive(Debug)]
struct Module {
    /// From the folder of the sources.
    file: String,
    named: Named,
}

/// A file uses what another defines.
#[derive(Debug)]
pub struct Use {
    pub file: String,
    pub target: String,
    path: String,
}

impl Use {
    pub fn folder(&self) -> &str {
        folder(&self.file)
    }

    pub fn target_folder(&self) -> &str {
        folder(&self.target)
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {}", self.path, self.file)
    }
}

/// The top-level module of a file.
fn folder(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

impl Modules {
    /// Reads the modules from the `lib.rs` of a folder on.
    pub fn read(source: &Path) -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.add(source, &source.join("lib.rs"), Vec::new());
        modules
    }

    fn add(&mut self, source: &Path, file: &Path, name: Name) {
        let text = fs::read_to_string(file).unwrap();
        let named = named(&without_tests(&tokens(&text)));
        for child in &named.children {
            let name = [name.as_slice(), slice::from_ref(child)].concat();
            let folder: PathBuf = name.iter().collect();
            let alone = source.join(&folder).with_extension("rs");
            let file = if alone.exists() {
                alone
            } else {
                source.join(&folder).join("mod.rs")
            };
            self.add(source, &file, name);
        }
        let file = file.strip_prefix(source).unwrap().display().to_string();
        self.0.insert(name, Module { file, named });
    }

    /// Every use of one file by another. A name that a module only passes on
    /// with `pub use` is a use of the file that defines it by the file that
    /// names it, and none by the module that passes it on, inside a folder.
    pub fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (name, module) in self.0.iter().filter(|(name, _)| !name.is_empty()) {
            let Named { imports, paths, .. } = &module.named;
            for import in imports {
                let passed_on = import.public && !paths.iter().any(|p| p[0] == import.name);
                let to = self.targets(name, &import.path);
                uses.extend(to.into_iter().filter_map(|target| {
                    let target = &self.0[&target].file;
                    let inside = folder(target) == folder(&module.file);
                    (!passed_on || !inside).then(|| module.uses(target, &import.path))
                }));
            }
            for path in paths.iter().filter(|path| path.len() > 1) {
                let to = self.targets(name, path);
                uses.extend(
                    to.iter()
                        .map(|target| module.uses(&self.0[target].file, path)),
                );
            }
        }
        uses
    }

    /// The modules that define what `path` names in module `from`: none where
    /// the path leads out of the crate, or names a module.
    fn targets(&self, from: &Name, path: &[String]) -> Vec<Name> {
        let mut targets = Vec::new();
        self.follow(from, path, true, 0, &mut targets);
        targets
    }

    fn follow(&self, at: &Name, path: &[String], start: bool, deep: usize, into: &mut Vec<Name>) {
        assert!(deep < 50, "{path:?} in {at:?} leads to itself");
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let module = &self.0[at];
        match first.as_str() {
            "crate" if start => return self.follow(&Vec::new(), rest, false, deep + 1, into),
            "self" if start => return self.follow(at, rest, false, deep + 1, into),
            "super" => {
                // Past the root: the path of an inline module.
                let above = at.split_last().map(|(_, above)| above.to_vec());
                return self.follow(&above.unwrap_or_default(), rest, false, deep + 1, into);
            }
            "*" => {
                let all = module.named.imports.iter().filter(|i| i.public);
                for import in all {
                    self.follow(at, &import.path, true, deep + 1, into);
                }
                return into.push(at.clone());
            }
            _ => {}
        }
        let child = [at.as_slice(), slice::from_ref(first)].concat();
        let imports = module.named.imports.iter();
        let imported = imports.clone().find(|i| i.name == *first);
        if self.0.contains_key(&child) && !(rest.is_empty() && imported.is_some()) {
            return self.follow(&child, rest, false, deep + 1, into);
        }
        if let Some(import) = imported {
            // `use regex::Regex` names a crate, where no module has the name.
            if import.path[0] == *first && start {
                return;
            }
            let path = [import.path.as_slice(), rest].concat();
            self.follow(at, &path, true, deep + 1, into);
        } else if !start && !at.is_empty() {
            into.push(at.clone());
        }
    }
}

impl Module {
    fn uses(&self, target: &str, path: &[String]) -> Use {
        Use {
            file: self.file.clone(),
            target: target.to_owned(),
            path: path.join("::"),
        }
    }
}
