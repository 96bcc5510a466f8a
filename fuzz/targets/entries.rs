#![no_main]
nightdrop_fuzz::fuzz!("entries");
