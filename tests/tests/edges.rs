//! Which crate may use which. The relay must never link the crate that can decrypt.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use cargo_metadata::{Metadata, MetadataCommand, Package};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Every edge that is allowed between members; development and build dependencies count.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("wire", &[]),
    ("envelope", &["wire"]),
    ("login", &["wire"]),
    ("credit", &["wire"]),
    ("store", &["wire"]),
    ("onion-config", &["wire"]),
    ("relay", &["wire", "login", "credit", "store", "onion-config"]),
    ("client", &["wire", "login", "credit", "envelope", "onion-config"]),
    ("properties", &["wire", "envelope", "login", "store"]),
    ("tests", &["wire", "envelope", "login", "credit", "store", "onion-config", "relay", "client"]),
];

/// Crates that only one member may name, by the start of their names.
const RESERVED: [(&str, &str); 3] = [("redb", "store"), ("arti-", "onion-config"), ("tor-", "onion-config")];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    // Without a platform, the crates of every platform would have to be here, and offline they are not.
    let options = ["--offline", "--locked", "--filter-platform", &host()].map(str::to_owned);
    MetadataCommand::new().manifest_path(manifest).other_options(options).exec().unwrap()
}

/// The platform that this test was built on, as rustc calls it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Member → what it names, with the project's prefix taken off.
fn named(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let short = |name: &str| name.strip_prefix("nightdrop-").unwrap_or(name).to_owned();
    let names = |package: &&Package| {
        package.dependencies.iter().map(|dependency| short(&dependency.name)).collect::<BTreeSet<_>>()
    };
    metadata.workspace_packages().iter().map(|package| (short(&package.name), names(package))).collect()
}

/// Every edge of `named` that is not allowed.
fn forbidden(named: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut found = Vec::new();
    for (member, uses) in named {
        let Some(allowed) = allowed.get(member.as_str()) else {
            found.push(format!("{member} is not on the list of members"));
            continue;
        };
        for used in uses {
            let is_member = named.contains_key(used);
            if is_member && !allowed.contains(&used.as_str()) {
                found.push(format!("{member} -> {used}"));
            }
            let reserved = RESERVED.iter().find(|(start, _)| used.starts_with(start));
            if reserved.is_some_and(|(_, owner)| owner != member) {
                found.push(format!("{member} -> {used}"));
            }
        }
    }
    found
}

#[test]
fn no_member_uses_what_it_may_not() {
    let named = named(&metadata());
    assert_eq!(named.len(), ALLOWED.len(), "every member is looked at");
    assert!(named["relay"].contains("store"), "the look finds edges that are there");
    assert_eq!(forbidden(&named), Vec::<String>::new());
}

#[test]
fn a_forbidden_edge_would_be_found() {
    for (member, planted) in [
        ("relay", "envelope"),
        ("store", "login"),
        ("wire", "store"),
        ("envelope", "login"),
        ("client", "relay"),
        ("relay", "redb"),
        ("client", "arti-client"),
        ("relay", "tor-proto"),
    ] {
        let mut named = named(&metadata());
        named.get_mut(member).unwrap().insert(planted.to_owned());
        assert_eq!(forbidden(&named), [format!("{member} -> {planted}")]);
    }
}

/// The edge test looks at names; this one at what is really linked, through any number of steps.
#[test]
fn the_relay_links_nothing_that_can_decrypt() {
    let metadata = metadata();
    let linked = linked_by(&metadata, "nightdrop-relay");
    assert!(linked.contains("nightdrop-store"), "the walk finds what is linked");
    assert!(!linked.contains("nightdrop-envelope"));
    assert!(linked_by(&metadata, "nightdrop-client").contains("nightdrop-envelope"));
    assert!(!linked_by(&metadata, "nightdrop-client").contains("nightdrop-store"));
}

fn linked_by(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> =
        metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let root = metadata.packages.iter().find(|package| package.name == root).unwrap();
    let mut waiting = vec![&root.id];
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(names[id].clone()) {
            waiting.extend(&nodes[id].dependencies);
        }
    }
    linked
}
