//! What the loaded extensions add up to: resources with all their attributes, routes, rules.

use crate::attr::Attr;
use crate::extension::{Extension, Resource};

/// The loaded extensions.
pub struct Catalog {
    loaded: Vec<&'static Extension>,
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
        Ok(Catalog { loaded })
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

    /// The attributes of a resource, its own first, then those added by extensions in their order.
    pub fn attributes(&self, resource: &str) -> Vec<&'static Attr> {
        let own = self.resources().filter(|r| r.name == resource).flat_map(|r| r.attributes);
        let added = self.loaded.iter().flat_map(|e| e.attributes).filter(|on| on.resource == resource);
        own.chain(added.flat_map(|on| on.attributes)).collect()
    }
}
