//! What every target is: libFuzzer's bytes, given to one property.
//!
//! `make fuzz` runs them. What it finds lies in `fuzz/artifacts`; kept in `fuzz/corpus`, it is tried on every run of the tests.

pub use libfuzzer_sys;
pub use nightdrop_properties;

/// The target of the property with this name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        use $crate::libfuzzer_sys;

        static PROPERTY: std::sync::LazyLock<$crate::nightdrop_properties::Property> =
            std::sync::LazyLock::new(|| $crate::nightdrop_properties::named($name).expect("it is listed"));

        libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            (PROPERTY.holds)(input);
        });
    };
}
