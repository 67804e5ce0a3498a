//! The one program: servers, agents and the users' client behind one name.

fn main() {}
