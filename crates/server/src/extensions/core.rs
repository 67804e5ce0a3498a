//! The resources that are always there. No alias of the API: upstream lists them elsewhere.

use crate::extension::{Extension, NOTHING};
use crate::resources::network::NETWORK;
use crate::resources::port::{ANNOUNCE, PORT};
use crate::resources::subnet::SUBNET;

/// Networks, subnets and ports; the first of all, so that others can add to them.
pub static RESOURCES: Extension = Extension { resources: &[&NETWORK, &SUBNET, &PORT], ..NOTHING };

/// Announces ports; the last of all, so that every extension has stored its part.
pub static ANNOUNCEMENTS: Extension = Extension { hooks: &[ANNOUNCE], ..NOTHING };
