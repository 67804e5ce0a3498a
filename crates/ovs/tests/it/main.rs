//! Both protocols against a real Open vSwitch with its userspace datapath.

mod database;
mod switch;
