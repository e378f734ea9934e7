use super::super::codec::{Encoder, tests::all_kinds};
use super::*;

const RUN: Uuid = Uuid::from_u128(7);

fn genesis() -> Tail {
    Tail::genesis([9; 32], Seq(40))
}

fn sealed() -> Segment {
    let mut encoder = Encoder::new(Seq(40));
    for (stamp, event) in all_kinds() {
        encoder.event(stamp, &event);
    }
    Segment::seal(RUN, &encoder.take().unwrap(), genesis().hash)
}

fn read(segment: &Segment, tail: &Tail) -> Result<(Tail, Vec<Event>), SegmentFault> {
    let mut events = Vec::new();
    let end = SegmentReader::new().read(segment, tail, |_, event| {
        events.push(event.clone());
        Ok::<_, SegmentFault>(())
    })?;
    Ok((end, events))
}

#[test]
fn a_sealed_segment_gives_its_events_back() {
    let (tail, events) = read(&sealed(), &genesis()).unwrap();
    let written: Vec<Event> = all_kinds().into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, written);
    assert_eq!(tail.seq, Seq(40 + written.len() as u64));
}

#[test]
fn every_flipped_bit_of_a_segment_is_found() {
    // H4: flip every bit of what is stored, headers included.
    let good = sealed();
    let mut flips = 0;
    let mut refuse = |segment: Segment, what: &str| {
        flips += 1;
        assert!(read(&segment, &genesis()).is_err(), "{what}");
    };
    for at in 0..good.payload.len() * 8 {
        let mut bad = good.clone();
        bad.payload[at / 8] ^= 1 << (at % 8);
        refuse(bad, "payload");
    }
    for bit in 0..256 {
        for which in 0..2 {
            let mut bad = good.clone();
            let hash = if which == 0 { &mut bad.hash } else { &mut bad.previous };
            hash[bit / 8] ^= 1 << (bit % 8);
            refuse(bad, "hash");
        }
    }
    for bit in 0..64 {
        let flip = 1_u64 << bit;
        refuse(Segment { checksum: good.checksum ^ flip, ..good.clone() }, "checksum");
        refuse(Segment { raw_len: good.raw_len ^ flip, ..good.clone() }, "length");
        refuse(Segment { run: Uuid::from_u128(RUN.as_u128() ^ u128::from(flip)), ..good.clone() }, "run");
        let seq = |stamp: Stamp| Stamp { seq: Seq(stamp.seq.0 ^ flip), ..stamp };
        let at = |stamp: Stamp| Stamp { at: Instant::from_nanos(stamp.at.nanos() ^ flip.cast_signed()), ..stamp };
        refuse(Segment { first: seq(good.first), ..good.clone() }, "first number");
        refuse(Segment { last: seq(good.last), ..good.clone() }, "last number");
        refuse(Segment { first: at(good.first), ..good.clone() }, "first time");
        refuse(Segment { last: at(good.last), ..good.clone() }, "last time");
    }
    for bit in 0..16 {
        refuse(Segment { format: good.format ^ (1 << bit), ..good.clone() }, "format");
    }
    assert!(flips > 4096 * 2, "{flips} flips");
}

#[test]
fn a_segment_from_a_newer_program_is_refused_by_name() {
    // G16: never read a younger layout as if it were known.
    let mut newer = Segment { format: FORMAT + 1, ..sealed() };
    newer.hash = newer.expected_hash();
    assert_eq!(newer.check(&genesis()), Err(SegmentFault::Format { found: FORMAT + 1 }));
}

#[test]
fn a_missing_doubled_or_swapped_segment_breaks_the_chain() {
    let first = sealed();
    let stamp = Stamp { seq: Seq(first.last.seq.0 + 1), at: first.last.at };
    let mut encoder = Encoder::new(first.last.seq);
    encoder.event(stamp, &Event::Timer);
    let second = Segment::seal(RUN, &encoder.take().unwrap(), first.hash);
    assert!(second.check(&first.tail()).is_ok());
    assert!(matches!(second.check(&genesis()), Err(SegmentFault::Chain(_))));
    assert!(matches!(first.check(&first.tail()), Err(SegmentFault::Chain(_))));
    assert!(matches!(second.check(&second.tail()), Err(SegmentFault::Chain(_))));
}

#[test]
fn a_reader_that_stops_stops_with_its_own_error() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Enough,
        Fault(SegmentFault),
    }
    impl From<SegmentFault> for Mine {
        fn from(fault: SegmentFault) -> Mine {
            Mine::Fault(fault)
        }
    }
    let outcome = SegmentReader::new().read(&sealed(), &genesis(), |_, _| Err(Mine::Enough));
    assert_eq!(outcome, Err(Mine::Enough));
}
