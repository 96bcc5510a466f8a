//! Who may send a large body: only whoever holds the credit that pays for it, or that has paid for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestBlob, TestLog, random_credit};
use nightdrop_store::{Day, Payment};
use nightdrop_wire::{messages::credit::Credit, size_class::SizeClass};

#[test]
fn a_taken_id_admits_nobody_but_who_shows_the_credit_that_paid_for_it() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let (blob, log, free) = (TestBlob::new(1), TestLog::new(), TestBlob::new(1));
    let (for_blob, for_log, unspent) = (fixture.credit(), fixture.credit(), fixture.credit());
    let old = random_credit(Day(TODAY.0 - 1));
    let pay = |credit: &Credit| Payment::of_verified(std::slice::from_ref(credit));
    store.admit_blob(blob.id, &pay(&for_blob), TODAY).expect("a credit that pays");
    store.admit_log(log.space, &pay(&for_log), TODAY).expect("a credit that pays");
    fixture.create(&blob.create_whole(for_blob.clone(), SizeClass::SMALLEST)).unwrap();
    fixture.create_log(&log.create(for_log.clone())).unwrap();

    store.admit_blob(blob.id, &pay(&for_blob), TODAY).expect("the answer was lost");
    store.admit_blob(blob.id, &pay(&for_blob), TODAY.plus(100)).expect("however late");
    store.admit_log(log.space, &pay(&for_log), TODAY).expect("the answer was lost");
    for (why, credit) in [("too old", &old), ("spent for something else", &for_log)] {
        assert_refused!(store.admit_blob(blob.id, &pay(credit), TODAY), Refused, why);
        assert_refused!(
            store.admit_blob(free.id, &pay(credit), TODAY),
            Refused,
            "a free id is told from a taken one"
        );
    }
    assert_refused!(store.admit_log(log.space, &pay(&old), TODAY), Refused, "too old");
    assert_refused!(store.admit_log(log.space, &pay(&for_blob), TODAY), Refused, "spent for something else");
    store
        .admit_blob(blob.id, &pay(&unspent), TODAY)
        .expect("whether the id is taken is not told before it is paid for");
}
