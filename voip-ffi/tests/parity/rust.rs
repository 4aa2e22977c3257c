//! The public names of `voip-core`: what `lib.rs` re-exports, with methods, fields and variants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Fields, ImplItem, Item, ItemImpl, Type, UseTree, Visibility};

/// One public name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Type(String),
    Function(String),
    Constant(String),
    /// A type and its method.
    Method(String, String),
    /// A struct and its field.
    Field(String, String),
    /// An enum and its variant.
    Variant(String, String),
    /// An enum, its variant, and a field of that.
    VariantField(String, String, String),
}

impl Name {
    /// As the table of exceptions has it.
    pub(crate) fn path(&self) -> String {
        match self {
            Name::Type(a) | Name::Function(a) | Name::Constant(a) => a.clone(),
            Name::Method(a, b) | Name::Variant(a, b) => format!("{a}::{b}"),
            Name::Field(a, b) => format!("{a}.{b}"),
            Name::VariantField(a, b, c) => format!("{a}::{b}.{c}"),
        }
    }
}

/// All of them, of the crate whose sources are in `src`.
pub(crate) fn public_names(src: &Path) -> BTreeSet<Name> {
    let root = parse(&src.join("lib.rs"));
    let mut exported = BTreeSet::new();
    let mut names = BTreeSet::new();
    for item in &root.items {
        match item {
            Item::Use(item) if is_public(&item.vis) => leaves(&item.tree, &mut exported),
            Item::Const(item) if is_public(&item.vis) => {
                names.insert(Name::Constant(item.ident.to_string()));
            }
            // Modules are components for whoever builds on them in Rust.
            Item::Mod(item) if is_public(&item.vis) && item.ident != "fuzzing" => {
                names.insert(Name::Type(item.ident.to_string()));
            }
            _ => {}
        }
    }
    let mut files = Vec::new();
    rust_files(src, &mut files);
    for file in files {
        for item in parse(&file).items {
            collect(&item, &exported, &mut names);
        }
    }
    let found: BTreeMap<_, _> = names.iter().map(|name| (name.path(), name)).collect();
    for name in &exported {
        assert!(found.contains_key(name), "{name} is exported but was not found");
    }
    names
}

fn collect(item: &Item, exported: &BTreeSet<String>, names: &mut BTreeSet<Name>) {
    if !may_be_public(item) {
        return;
    }
    match item {
        Item::Struct(item) if exported.contains(&item.ident.to_string()) => {
            let owner = item.ident.to_string();
            for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                if let Some(name) = &field.ident {
                    names.insert(Name::Field(owner.clone(), name.to_string()));
                }
            }
            names.insert(Name::Type(owner));
        }
        Item::Enum(item) if exported.contains(&item.ident.to_string()) => {
            let owner = item.ident.to_string();
            for variant in &item.variants {
                let name = variant.ident.to_string();
                if let Fields::Named(fields) = &variant.fields {
                    for field in fields.named.iter().filter_map(|field| field.ident.as_ref()) {
                        let field = field.to_string();
                        names.insert(Name::VariantField(owner.clone(), name.clone(), field));
                    }
                }
                names.insert(Name::Variant(owner.clone(), name));
            }
            names.insert(Name::Type(owner));
        }
        Item::Fn(item) if exported.contains(&item.sig.ident.to_string()) => {
            names.insert(Name::Function(item.sig.ident.to_string()));
        }
        Item::Const(item) if exported.contains(&item.ident.to_string()) => {
            names.insert(Name::Constant(item.ident.to_string()));
        }
        Item::Type(item) if exported.contains(&item.ident.to_string()) => {
            names.insert(Name::Type(item.ident.to_string()));
        }
        // The standard library's, re-exported.
        Item::Use(item) if is_public(&item.vis) => {
            let mut again = BTreeSet::new();
            leaves(&item.tree, &mut again);
            if again.contains("Duration") && exported.contains("Duration") {
                names.insert(Name::Type("Duration".into()));
            }
        }
        Item::Impl(item) if item.trait_.is_none() => methods(item, exported, names),
        _ => {}
    }
}

fn methods(item: &ItemImpl, exported: &BTreeSet<String>, names: &mut BTreeSet<Name>) {
    let Type::Path(path) = &*item.self_ty else { return };
    let Some(owner) = path.path.segments.last().map(|segment| segment.ident.to_string()) else {
        return;
    };
    if !exported.contains(&owner) {
        return;
    }
    for member in &item.items {
        match member {
            ImplItem::Fn(method) if is_public(&method.vis) => {
                names.insert(Name::Method(owner.clone(), method.sig.ident.to_string()));
            }
            ImplItem::Const(constant) if is_public(&constant.vis) => {
                names.insert(Name::Method(owner.clone(), constant.ident.to_string()));
            }
            _ => {}
        }
    }
}

/// Of two things with one name only the public one is exported.
fn may_be_public(item: &Item) -> bool {
    match item {
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Const(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        _ => true,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn leaves(tree: &UseTree, into: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, into),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, into)),
        UseTree::Name(name) => {
            into.insert(name.ident.to_string());
        }
        UseTree::Rename(_) | UseTree::Glob(_) => panic!("the parity test wants plain names"),
    }
}

fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
