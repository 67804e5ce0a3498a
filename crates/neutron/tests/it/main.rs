//! Tests of the whole: the house rules, the program's commands.

mod house_rules;
mod program;
