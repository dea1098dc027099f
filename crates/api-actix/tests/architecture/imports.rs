//! Which file of a crate imports which.
//!
//! A file imports what it names in a `use`, and by a path from `crate` or `super` in its code. That leads to the file that
//! declares it: where a file only passes a name on (`pub use`), to the one behind it, and passing on is no import. What stands in
//! macros can't be seen, nor what a parent calls in a child that it declares (`child::run()`), nor whose methods are called.
//! Tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ItemMod, ItemUse, Meta, UseTree, Visibility};

type Names = Vec<String>;

/// The files of a crate, by their modules.
pub(crate) struct Imports {
    /// What others call the crate.
    name: String,
    files: BTreeMap<Names, File>,
}

#[derive(Default)]
struct File {
    path: String,
    module: Names,
    /// The modules inside of the file that are being read.
    inner: Names,
    uses: Vec<Use>,
    /// Paths in code.
    paths: Vec<Names>,
    /// Paths in the arguments of macros, which are no code yet.
    macro_paths: Vec<Names>,
    /// Every identifier in code.
    words: BTreeSet<String>,
    /// The modules that are there for tests.
    tests: Vec<Names>,
}

struct Use {
    /// The modules inside of the file where it stands.
    inner: Names,
    path: Names,
    /// The name that it gives, none where it gives all.
    name: Option<String>,
    is_public: bool,
}

impl Imports {
    /// Of these sources, by their paths below `src`. `name` is what others call the crate.
    pub(crate) fn of(name: &str, sources: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files = BTreeMap::new();
        for (path, source) in sources {
            let parsed = syn::parse_file(&source).unwrap_or_else(|error| panic!("{name}, {path}: {error}"));
            let mut file = File { module: module(&path), path, ..File::default() };
            file.visit_file(&parsed);
            files.insert(file.module.clone(), file);
        }
        let tests: Vec<_> = files.values().flat_map(|file| file.tests.clone()).collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { name: name.to_owned(), files }
    }

    /// The files that each file imports.
    pub(crate) fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let arrows = self.files.values().map(|file| (file.path.as_str(), self.imported(file)));
        arrows.collect()
    }

    /// The paths that each file names: in a `use`, in code, and in the arguments of macros.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.files.values().flat_map(|file| {
            let uses = file.uses.iter().map(|found| &found.path);
            let paths = uses.chain(&file.paths).chain(&file.macro_paths);
            paths.map(|path| (file.path.as_str(), path.as_slice()))
        })
    }

    /// The files that import each other, directly or not.
    pub(crate) fn circles(&self) -> BTreeSet<BTreeSet<&str>> {
        let arrows = self.arrows();
        let reached = |from: &str| {
            let (mut seen, mut open) = (BTreeSet::new(), Vec::from_iter(&arrows[from]));
            while let Some(file) = open.pop() {
                if seen.insert(*file) {
                    open.extend(&arrows[file]);
                }
            }
            seen
        };
        let reached: BTreeMap<_, _> = arrows.keys().map(|file| (*file, reached(file))).collect();
        let circle = |file: &&str| {
            reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect()
        };
        reached.keys().map(circle).filter(|circle: &BTreeSet<_>| !circle.is_empty()).collect()
    }

    fn imported(&self, file: &File) -> BTreeSet<&str> {
        let uses = file.uses.iter().filter(|found| !found.is_passed_on() || found.is_needed_in(file));
        let uses = uses.filter_map(|found| self.absolute(file, &found.inner, &found.path));
        let paths = file.paths.iter().filter(|path| matches!(path[0].as_str(), "crate" | "super"));
        let paths = paths.filter_map(|path| self.absolute(file, &[], path));
        let files = uses.chain(paths).filter_map(|path| self.declaring(path));
        files.filter(|found| *found != file.path).collect()
    }

    /// A path that stands in a module inside of a file, from the root on; none where it leaves the crate.
    fn absolute(&self, file: &File, inner: &[String], path: &[String]) -> Option<Names> {
        let mut from = [file.module.as_slice(), inner].concat();
        let mut path = path;
        match path.first()?.as_str() {
            "crate" => (from, path) = (Names::new(), &path[1..]),
            "self" => path = &path[1..],
            name if name == self.name => (from, path) = (Names::new(), &path[1..]),
            "super" => {
                while let Some(("super", rest)) =
                    path.split_first().map(|(first, rest)| (first.as_str(), rest))
                {
                    from.pop();
                    path = rest;
                }
            }
            child => {
                from.push(child.to_owned());
                let is_child = self.files.contains_key(&from);
                from.pop();
                if !is_child {
                    return None;
                }
            }
        }
        from.extend_from_slice(path);
        Some(from)
    }

    /// The file that declares what is at that path.
    fn declaring(&self, mut path: Names) -> Option<&str> {
        // Who passes names on in a circle does not compile; so many steps are enough for anybody else.
        for _ in 0..8 {
            let depth = (0..=path.len()).rev().find(|depth| self.files.contains_key(&path[..*depth]))?;
            let file = &self.files[&path[..depth]];
            let passed_on = path.get(depth).and_then(|name| file.passed_on(name));
            match passed_on.and_then(|found| self.absolute(file, &[], &found.path)) {
                Some(behind) => path = [behind.as_slice(), &path[depth + 1..]].concat(),
                None => return Some(&file.path),
            }
        }
        None
    }
}

/// The module that a file is.
fn module(path: &str) -> Names {
    let mut names: Names = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    // A library beside it is another crate, which it calls by its name.
    if path == "lib.rs" || names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    names
}

impl Use {
    fn is_passed_on(&self) -> bool {
        self.is_public && self.name.is_some()
    }

    fn is_needed_in(&self, file: &File) -> bool {
        self.name.as_ref().is_none_or(|name| file.words.contains(name))
    }
}

impl File {
    fn passed_on(&self, name: &str) -> Option<&Use> {
        let is_it = |found: &&Use| {
            found.is_passed_on() && found.inner.is_empty() && found.name.as_deref() == Some(name)
        };
        self.uses.iter().find(is_it)
    }

    fn note(&mut self, before: &[String], tree: &UseTree, is_public: bool) {
        let with = |name: &Ident| [before, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.note(&with(&path.ident), &path.tree, is_public),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.note(before, tree, is_public));
            }
            UseTree::Glob(_) => (before.to_vec(), None),
            UseTree::Name(name) if name.ident == "self" => (before.to_vec(), before.last().cloned()),
            UseTree::Name(name) => (with(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(name) => (with(&name.ident), Some(name.rename.to_string())),
        };
        self.uses.push(Use { inner: self.inner.clone(), path, name, is_public });
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.parse_args::<Ident>().is_ok_and(|word| word == "test")
    })
}

impl<'ast> Visit<'ast> for File {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.inner.push(item.ident.to_string());
        if is_for_tests(&item.attrs) {
            self.tests.push([self.module.as_slice(), &self.inner].concat());
        } else {
            visit::visit_item_mod(self, item);
        }
        self.inner.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.note(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let arguments = call.tokens.to_string().replace(' ', "");
        let paths = arguments.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'));
        let paths = paths.filter(|path| path.contains("::"));
        self.macro_paths.extend(paths.map(|path| path.split("::").map(str::to_owned).collect()));
        visit::visit_macro(self, call);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {
        // `pub(super)` names nothing.
    }

    fn visit_ident(&mut self, word: &'ast Ident) {
        self.words.insert(word.to_string());
    }
}

/// The Rust sources below a folder, by their paths.
pub(crate) fn sources(folder: &Path) -> Vec<(String, String)> {
    let read = |path: std::path::PathBuf| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    super::rust_files(folder).into_iter().map(read).collect()
}

#[test]
fn files_that_import_each_other_are_found() {
    let sources = |last: &str| {
        [
            ("lib.rs", "mod a; mod b; pub(crate) use b::B; pub use b::C; fn f(_: C) {}"),
            ("a/mod.rs", "mod inner; use crate::B;"),
            ("a/inner.rs", "fn f() { super::f(); } #[cfg(test)] mod tests { use crate::b; }"),
            ("b.rs", last),
        ]
        .map(|(path, source)| (path.to_owned(), source.to_owned()))
    };
    let imports = Imports::of("x", sources("use std::fs; pub struct B;"));
    assert_eq!(imports.arrows()["lib.rs"], BTreeSet::from(["b.rs"]));
    assert_eq!(imports.arrows()["a/mod.rs"], BTreeSet::from(["b.rs"]));
    assert_eq!(imports.arrows()["a/inner.rs"], BTreeSet::from(["a/mod.rs"]));
    assert!(imports.circles().is_empty());

    let imports = Imports::of("x", sources("use super::a::{inner::{self, X}}; pub struct B;"));
    let circle = BTreeSet::from(["a/inner.rs", "a/mod.rs", "b.rs"]);
    assert_eq!(imports.circles(), BTreeSet::from([circle]));
}
