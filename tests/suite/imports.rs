//! What the files of `src` import from each other, read from their tokens.
//!
//! A name that a module hands on (`pub use list::list`) leads to the file that defines it, and handing on is no import:
//! a folder's `session.rs` may be the face of what lies in `session/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path from the crate's root, or a module: `["model", "session"]`.
pub type Module = Vec<String>;

/// What each file imports: the file it takes something from, and the names it takes.
pub type Imports = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

/// The files of a crate.
#[derive(Default)]
pub struct Crate {
    files: BTreeMap<Module, File>,
}

/// What one file names.
#[derive(Default)]
struct File {
    // Names in scope by a `use` or a `mod`, and what they stand for.
    scope: BTreeMap<String, Module>,
    handed_on: BTreeMap<String, Module>,
    named: BTreeSet<Module>,
}

impl Crate {
    /// The crate whose root is in `folder`. Tests may name what they like, and are left out.
    pub fn read(folder: &str) -> Self {
        let files = files_below(folder, &["rs"]).into_iter().filter(|path| !is_for_tests(path));
        let sources = files.map(|path| {
            let source = fs::read_to_string(&path).unwrap();
            (module_of(path.strip_prefix(folder).unwrap()), source)
        });
        Self::of(sources)
    }

    /// The crate with these modules.
    pub fn of(sources: impl IntoIterator<Item = (Module, String)>) -> Self {
        let files = sources.into_iter().map(|(module, source)| {
            let file = File::of(&module, &source);
            (module, file)
        });
        Self { files: files.collect() }
    }

    /// What each file takes from which other.
    pub fn imports(&self) -> Imports {
        let of_file = |(here, file): (&Module, &File)| {
            let mut taken: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
            for path in &file.named {
                if let Some((from, name)) = self.definition(path, 0)
                    && from != *here
                {
                    taken.entry(from).or_default().insert(name);
                }
            }
            (here.clone(), taken)
        };
        self.files.iter().map(of_file).collect()
    }

    /// Groups of files that import each other in a circle, each sorted.
    pub fn circles(&self) -> Vec<Vec<Module>> {
        let imports = self.imports();
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            imports.keys().map(|from| (from, reached(&imports, from))).collect();
        let mut circles = BTreeSet::new();
        for (from, seen) in reach.iter().filter(|(from, seen)| seen.contains(*from)) {
            let circle = seen.iter().filter(|other| reach[*other].contains(*from));
            circles.insert(circle.map(|module| (*module).clone()).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }

    /// The file that defines what `path` names, and its name there; nothing where it is no file's of this crate, or a
    /// file itself.
    fn definition(&self, path: &[String], depth: usize) -> Option<(Module, String)> {
        let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let name = rest.first()?;
        match self.files[module].handed_on.get(name) {
            // Two modules that hand each other's names on end somewhere, or the compiler would not.
            Some(onward) if depth < 9 => {
                self.definition(&[onward.as_slice(), &rest[1..]].concat(), depth + 1)
            }
            _ => (length > 0).then(|| (module.to_vec(), name.clone())),
        }
    }
}

/// What one gets to from a file, import by import.
fn reached<'a>(imports: &'a Imports, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        open.extend(imports[module].keys().filter(|next| seen.insert(*next)));
    }
    seen
}

/// A token as it matters here.
#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    Separator,
    Sign(char),
    Open(Delimiter),
    Close(Delimiter),
}

impl File {
    fn of(here: &Module, source: &str) -> Self {
        let mut tokens = Vec::new();
        flatten(source.parse().unwrap(), &mut tokens);
        let mut file = Self::default();
        // Names can be used above the `use` that brings them.
        let rest = file.read_uses(here, &tokens);
        file.read_paths(here, &rest);
        file
    }

    /// Reads every `use` and `mod`. Returns the other tokens.
    fn read_uses<'a>(&mut self, here: &Module, mut tokens: &'a [Token]) -> Vec<&'a Token> {
        let mut others = Vec::new();
        let mut is_public = false;
        while let Some((token, rest)) = tokens.split_first() {
            tokens = rest;
            match token {
                Token::Name(word) if word == "use" && rest.first() != Some(&Token::Sign('<')) => {
                    tokens = self.read_tree(here, None, rest, is_public);
                }
                Token::Name(word) if word == "mod" => {
                    if let [Token::Name(child), Token::Sign(';'), ..] = rest {
                        self.scope
                            .insert(child.clone(), [here.as_slice(), std::slice::from_ref(child)].concat());
                    }
                }
                _ => others.push(token),
            }
            is_public = match token {
                Token::Name(word) => word == "pub",
                // pub(crate)
                Token::Open(_) | Token::Close(_) => is_public,
                _ => false,
            } || (is_public
                && matches!(token, Token::Name(word) if word == "crate" || word == "super"));
        }
        others
    }

    /// Reads one tree of names (`a::{b, c::d as e}`) below `base`. Returns what follows it.
    fn read_tree<'a>(
        &mut self,
        here: &Module,
        base: Option<&[String]>,
        tokens: &'a [Token],
        is_public: bool,
    ) -> &'a [Token] {
        match tokens {
            [Token::Open(Delimiter::Brace), rest @ ..] => {
                let mut rest = rest;
                while !matches!(rest, [] | [Token::Close(_), ..]) {
                    rest = self.read_tree(here, base, rest, is_public);
                    rest = rest.strip_prefix(&[Token::Sign(',')]).unwrap_or(rest);
                }
                rest.get(1..).unwrap_or_default()
            }
            [Token::Name(name), Token::Separator, rest @ ..] => {
                self.read_tree(here, Some(&self.onward(here, base, name)), rest, is_public)
            }
            [Token::Sign('*'), rest @ ..] => {
                self.named.insert([base.unwrap_or_default(), &["*".to_owned()]].concat());
                rest
            }
            [Token::Name(name), Token::Name(word), Token::Name(alias), rest @ ..] if word == "as" => {
                self.take(alias, self.onward(here, base, name), is_public);
                rest
            }
            [Token::Name(name), rest @ ..] => {
                let path = self.onward(here, base, name);
                let alias = path.last().cloned().unwrap_or_default();
                self.take(&alias, path, is_public);
                rest
            }
            [_, rest @ ..] => rest,
            [] => tokens,
        }
    }

    fn take(&mut self, alias: &str, path: Module, is_public: bool) {
        match is_public {
            true => self.handed_on.insert(alias.to_owned(), path.clone()),
            false => {
                self.named.insert(path.clone());
                None
            }
        };
        self.scope.insert(alias.to_owned(), path);
    }

    /// `base::name`; at the front of a path, what the name stands for. A crate of others is a path that leads nowhere here.
    fn onward(&self, here: &Module, base: Option<&[String]>, name: &str) -> Module {
        match (name, base) {
            ("crate", None) => Vec::new(),
            ("self", None) => here.clone(),
            ("self", Some(base)) => base.to_vec(),
            ("super", None) => parent(here),
            ("super", Some(base)) => parent(base),
            (name, None) => match self.scope.get(name) {
                Some(path) => path.clone(),
                None => vec!["extern".to_owned(), name.to_owned()],
            },
            (name, Some(base)) => [base, &[name.to_owned()]].concat(),
        }
    }

    /// Reads every path in code, macros' insides included.
    fn read_paths(&mut self, here: &Module, tokens: &[&Token]) {
        let mut at = 0;
        while at < tokens.len() {
            let before = at.checked_sub(1).map(|before| tokens[before]);
            let Token::Name(first) = tokens[at] else {
                at += 1;
                continue;
            };
            let mut names = vec![first.clone()];
            while let (Some(Token::Separator), Some(Token::Name(name))) =
                (tokens.get(at + 1), tokens.get(at + 2))
            {
                names.push(name.clone());
                at += 2;
            }
            at += 1;
            let is_known = ["crate", "self", "super"].contains(&first.as_str()) && names.len() > 1
                || self.scope.contains_key(first);
            // A field, a method or a definition that is called like something in scope is another thing.
            let is_other = matches!(before, Some(Token::Sign('.') | Token::Separator))
                || matches!(before, Some(Token::Name(word)) if ["fn", "let", "mut"].contains(&word.as_str()));
            let is_variable = names.len() == 1
                && first.starts_with(|c: char| c.is_lowercase())
                && tokens.get(at) != Some(&&Token::Open(Delimiter::Parenthesis));
            if is_known && !is_other && !is_variable {
                let path = names
                    .iter()
                    .fold(None, |base: Option<Module>, name| Some(self.onward(here, base.as_deref(), name)));
                self.named.extend(path);
            }
        }
    }
}

fn parent(module: &[String]) -> Module {
    module.split_last().map_or_else(Vec::new, |(_, parent)| parent.to_vec())
}

/// All tokens in a row, without attributes and without what is there for tests alone.
fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                if let Some(TokenTree::Group(attribute)) = trees.peek() {
                    let is_for_tests = attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    trees.next();
                    if is_for_tests {
                        let ends = |tree: &TokenTree| match tree {
                            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                            TokenTree::Punct(sign) => sign.as_char() == ';',
                            _ => false,
                        };
                        let _ = trees.by_ref().find(ends);
                    }
                }
            }
            TokenTree::Group(group) => {
                tokens.push(Token::Open(group.delimiter()));
                flatten(group.stream(), tokens);
                tokens.push(Token::Close(group.delimiter()));
            }
            TokenTree::Ident(name) => tokens.push(Token::Name(name.to_string())),
            TokenTree::Punct(sign) if sign.as_char() == ':' => {
                let is_double = matches!(trees.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':')
                    && sign.spacing() == proc_macro2::Spacing::Joint;
                if is_double {
                    trees.next();
                    tokens.push(Token::Separator);
                } else {
                    tokens.push(Token::Sign(':'));
                }
            }
            TokenTree::Punct(sign) => tokens.push(Token::Sign(sign.as_char())),
            TokenTree::Literal(_) => tokens.push(Token::Sign('"')),
        }
    }
}

/// `web/guard.rs` → `web`, `guard`; nothing for the crate's own root.
pub fn module_of(file: &Path) -> Module {
    let path = file.with_extension("");
    let names = path.iter().map(|part| part.to_string_lossy().into_owned());
    names.filter(|name| !["mod", "lib", "main"].contains(&name.as_str())).collect()
}

/// Whether a file of `src` holds the tests of the one above it.
pub fn is_for_tests(file: &Path) -> bool {
    file.ends_with("tests.rs")
}

/// The files in a folder and its folders that end in one of `endings`.
pub fn files_below(folder: impl AsRef<Path>, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(path, endings));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            found.push(path);
        }
    }
    found
}
