#![no_main]
nightdrop_fuzz::fuzz!("copied_text");
