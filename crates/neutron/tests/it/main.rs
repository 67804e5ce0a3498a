//! Tests of the whole: the house rules, the program's commands.

#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod program;
#[cfg(test)]
mod service;
