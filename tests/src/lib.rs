//! What the tests of the whole system stand on. Nothing of it ships.

pub mod lying;
pub mod measure;
pub mod memory;
pub mod over_tor;
pub mod system;
pub mod tornet;
pub mod uploads;
