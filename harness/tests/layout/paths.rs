//! The paths that a file names: those of its `use` lines, and those of its
//! code.

/// One name that a `use` line brings in.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub path: Vec<String>,
    /// What it is called here; `*` for all, `_` for none.
    pub name: String,
    /// Whether others see it from here too.
    pub public: bool,
}

/// What a file names, and the modules it declares.
#[derive(Debug, Default)]
pub struct Named {
    pub imports: Vec<Import>,
    /// Paths of the code, and single names.
    pub paths: Vec<Vec<String>>,
    /// `mod x;`
    pub children: Vec<String>,
}

/// What `tokens` name. What an inline module names, its file names.
pub fn named(tokens: &[String]) -> Named {
    let mut named = Named::default();
    let mut at = 0;
    let mut depth = 0_usize;
    // The depths at which inline modules are open.
    let mut inline = Vec::new();
    while at < tokens.len() {
        let token = tokens[at].as_str();
        let next = |n: usize| tokens.get(at + n).map_or("", String::as_str);
        if token == "mod" && next(2) == ";" {
            named.children.push(next(1).to_owned());
            at += 3;
        } else if token == "mod" && next(2) == "{" {
            inline.push(depth);
            depth += 1;
            at += 3;
        } else if token == "{" {
            depth += 1;
            at += 1;
        } else if token == "}" {
            depth = depth.saturating_sub(1);
            inline.pop_if(|opened| *opened == depth);
            at += 1;
        } else if token == "use" {
            let end = at + tokens[at..].iter().position(|t| t == ";").unwrap_or(1);
            let public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
            let mut imports = Vec::new();
            let mut rest = &tokens[at + 1..end];
            tree(&mut rest, &mut Vec::new(), public, &mut imports);
            for import in &mut imports {
                from_file(&mut import.path, inline.len());
            }
            named.imports.append(&mut imports);
            at = end + 1;
        } else if is_word(token) && (at == 0 || tokens[at - 1] != "::") {
            let mut path = vec![token.to_owned()];
            while next(1 + 2 * (path.len() - 1)) == "::" && is_word(next(2 * path.len())) {
                path.push(next(2 * path.len()).to_owned());
            }
            at += 2 * path.len() - 1;
            from_file(&mut path, inline.len());
            named.paths.push(path);
        } else {
            at += 1;
        }
    }
    named
}

/// Makes a path of a module that is `deep` in its file one of the file.
fn from_file(path: &mut Vec<String>, deep: usize) {
    let up = path.iter().take(deep).take_while(|word| *word == "super");
    let up = up.count();
    if up > 0 {
        path.splice(..up, ["self".to_owned()]);
        if path.get(1).is_some_and(|word| word == "super") {
            path.remove(0);
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads a tree of a `use` line, up to the `,` or `}` after it.
fn tree(rest: &mut &[String], above: &mut Vec<String>, public: bool, into: &mut Vec<Import>) {
    let depth = above.len();
    while let Some((token, after)) = rest.split_first() {
        match token.as_str() {
            "::" => *rest = after,
            "{" => {
                *rest = after;
                while rest.first().is_some_and(|t| t != "}") {
                    tree(rest, above, public, into);
                    if rest.first().is_some_and(|t| t == ",") {
                        *rest = &rest[1..];
                    }
                }
                *rest = rest.get(1..).unwrap_or_default();
                above.truncate(depth);
                return;
            }
            "," | "}" => break,
            "as" => {
                let name = after.first().cloned().unwrap_or_default();
                *rest = after.get(1..).unwrap_or_default();
                let path = above.clone();
                into.push(Import { path, name, public });
                above.truncate(depth);
                return;
            }
            word => {
                above.push(word.to_owned());
                *rest = after;
            }
        }
    }
    if above.len() > depth {
        // `a::{self}` is `a`.
        if above.len() > 1 && above.last().is_some_and(|last| last == "self") {
            above.pop();
        }
        let name = above.last().cloned().unwrap_or_default();
        let path = above.clone();
        into.push(Import { path, name, public });
    }
    above.truncate(depth);
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokens, named};

    #[test]
    fn every_name_of_a_use_line_is_seen() {
        let source = "pub use crate::{a::{self, B as C}, d::*}; use super::e as _; mod f;";
        let named = named(&tokens(source));
        let seen: Vec<_> = named
            .imports
            .iter()
            .map(|i| (i.path.join("::"), i.name.as_str(), i.public))
            .collect();
        let expected = [
            ("crate::a", "a", true),
            ("crate::a::B", "C", true),
            ("crate::d::*", "*", true),
            ("super::e", "_", false),
        ];
        assert_eq!(
            seen,
            expected.map(|(p, n, public)| (p.to_owned(), n, public))
        );
        assert_eq!(named.children, ["f"]);
    }

    #[test]
    fn an_inline_module_is_part_of_its_file() {
        let source = "mod a { use super::B; use super::super::C; } use super::D;";
        let imports = named(&tokens(source)).imports;
        let paths: Vec<_> = imports.iter().map(|i| i.path.join("::")).collect();
        assert_eq!(paths, ["self::B", "super::C", "super::D"]);
    }

    #[test]
    fn paths_of_the_code_are_seen() {
        let named = named(&tokens("fn f() { crate::a::g(b::C, Vec::<u8>::new()) }"));
        let paths: Vec<_> = named.paths.iter().map(|p| p.join("::")).collect();
        assert!(paths.contains(&"crate::a::g".to_owned()), "{paths:?}");
        assert!(paths.contains(&"b::C".to_owned()), "{paths:?}");
    }
}
