//! What the loaded extensions add up to: resources with all their attributes, routes, rules.

use crate::attr::{Attr, Filter, STANDARD_ATTR_ID, TENANT_ID};
use crate::extension::{Extension, Hook, Resource, STANDARD};
use crate::store::Plan;
use std::collections::HashMap;

/// The loaded extensions.
pub struct Catalog {
    loaded: Vec<&'static Extension>,
    shapes: Vec<Shape>,
    by_name: HashMap<&'static str, usize>,
    by_collection: HashMap<&'static str, usize>,
}

/// A resource with everything that the loaded extensions add to it, put together once.
pub struct Shape {
    /// The resource as declared.
    pub resource: &'static Resource,
    /// Its attributes: its own first, then those added, in the order of the extensions.
    pub attributes: Vec<&'static Attr>,
    /// What other extensions do inside its transactions.
    pub hooks: Vec<Hook>,
    /// How its rows are read and written.
    pub plan: Plan,
    places: HashMap<&'static str, usize>,
}

impl Shape {
    /// An attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attr> {
        self.place(name).and_then(|at| self.attributes.get(at)).copied()
    }

    /// The place of an attribute in [`Shape::attributes`], which is its place in the rows of a page too.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

impl Catalog {
    /// Loads the extensions named, in the order of `all`; one whose requirements are not met is an error at
    /// start-up, never a surprise at the first request.
    pub fn load(all: &[&'static Extension], aliases: &[&str]) -> Result<Catalog, String> {
        for alias in aliases {
            if !all.iter().any(|e| e.alias == *alias) {
                return Err(format!("there is no extension {alias}"));
            }
        }
        let loaded: Vec<_> = all.iter().copied().filter(|e| aliases.contains(&e.alias)).collect();
        for e in &loaded {
            if let Some(missing) = e.requires.iter().find(|r| !aliases.contains(r)) {
                return Err(format!("the extension {} requires {missing}", e.alias));
            }
        }
        Catalog::of(loaded)
    }

    /// Loads everything of a list whose requirements are on it too.
    pub fn everything(all: &[&'static Extension]) -> Result<Catalog, String> {
        let mut loaded = all.to_vec();
        loop {
            let aliases: Vec<&str> = loaded.iter().map(|e| e.alias).collect();
            let met = |e: &&Extension| e.requires.iter().all(|alias| aliases.contains(alias));
            let kept: Vec<_> = loaded.iter().copied().filter(|e| met(e)).collect();
            if kept.len() == loaded.len() {
                return Catalog::of(kept);
            }
            loaded = kept;
        }
    }

    fn of(loaded: Vec<&'static Extension>) -> Result<Catalog, String> {
        let resources = loaded.iter().flat_map(|e| e.resources).copied();
        let shapes = resources.map(|r| shape(&loaded, r)).collect::<Result<Vec<_>, _>>()?;
        let by_name = shapes.iter().enumerate().map(|(at, s)| (s.resource.name, at)).collect();
        let by_collection = shapes.iter().enumerate().map(|(at, s)| (s.resource.collection, at)).collect();
        Ok(Catalog { loaded, shapes, by_name, by_collection })
    }

    /// Whether an alias is loaded.
    pub fn has(&self, alias: &str) -> bool {
        self.loaded.iter().any(|e| e.alias == alias)
    }

    /// The loaded extensions.
    pub fn extensions(&self) -> &[&'static Extension] {
        &self.loaded
    }

    /// All resources.
    pub fn resources(&self) -> impl Iterator<Item = &'static Resource> {
        self.loaded.iter().flat_map(|e| e.resources).copied()
    }

    /// All resources with what is added to them.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// A resource with what is added to it, by its singular name.
    pub fn shape(&self, resource: &str) -> Option<&Shape> {
        self.by_name.get(resource).and_then(|at| self.shapes.get(*at))
    }

    /// A resource with what is added to it, by its collection (`security_groups`).
    pub fn collection(&self, collection: &str) -> Option<&Shape> {
        self.by_collection.get(collection).and_then(|at| self.shapes.get(*at))
    }

    /// The attributes of a resource, its own first, then those added by extensions in their order.
    pub fn attributes(&self, resource: &str) -> &[&'static Attr] {
        self.shape(resource).map(|s| s.attributes.as_slice()).unwrap_or_default()
    }
}

fn shape(loaded: &[&'static Extension], resource: &'static Resource) -> Result<Shape, String> {
    let added = loaded
        .iter()
        .flat_map(|e| e.attributes)
        .filter(|on| on.resource == resource.name || (on.resource == STANDARD && resource.standard));
    let mut attributes: Vec<&'static Attr> = Vec::new();
    for attr in resource.attributes.iter().chain(added.flat_map(|on| on.attributes)) {
        if attributes.iter().any(|a| a.name == attr.name) {
            return Err(format!("{} has two attributes {}", resource.name, attr.name));
        }
        if attr.name == "project_id" {
            attributes.push(&TENANT_ID);
        }
        attributes.push(attr);
    }
    if resource.standard {
        attributes.push(&STANDARD_ATTR_ID);
    }
    for attr in &attributes {
        let column = crate::store::column_of(resource, attr);
        if column.is_none() && (attr.sort || matches!(attr.filter, Filter::Equal)) {
            return Err(format!("{}.{}: no column to filter or sort by", resource.name, attr.name));
        }
    }
    let hooks = loaded.iter().flat_map(|e| e.hooks).filter(|h| h.resource == resource.name).copied();
    Ok(Shape {
        resource,
        hooks: hooks.collect(),
        plan: Plan::of(resource, &attributes)?,
        places: attributes.iter().enumerate().map(|(at, a)| (a.name, at)).collect(),
        attributes,
    })
}
