//! What the tests of the whole system stand on. Nothing of it ships.

pub mod system;
pub mod tornet;
