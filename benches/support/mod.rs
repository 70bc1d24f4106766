//! What the benches share: the machine, the server under measurement and who comes to it.

#![allow(dead_code, reason = "every bench uses the parts that it needs")]

pub(crate) mod baseline;
pub(crate) mod generator;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod yardstick;
