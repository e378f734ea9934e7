//! The core, the line, and what was seen of both.

use super::*;

/// What is on its way.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Arrives(Command, i64),
    Said(BrokerEvent),
    Read(BrokerRead, Instant),
    Market,
    Enter,
    Meddle,
    Person,
    /// Somebody else buys this many lots.
    Stranger(i64),
    /// A person asks for this many lots of theirs to be taken over.
    Adopt(i64),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    pub(super) orders: Vec<OrderRow>,
    pub(super) trades: Vec<TradeRow>,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) core: Direct,
    pub(super) books: Books,
    pub(super) history: Vec<(i64, Books)>,
    pub(super) line: BTreeMap<(i64, u64), Line>,
    pub(super) sent: u64,
    pub(super) now: i64,
    /// Best bid in ticks of five paise; the ask is two above.
    pub(super) bid: i64,
    pub(super) last_fault: i64,
    pub(super) placed: BTreeSet<ClientOrderId>,
    pub(super) risk_stops: BTreeMap<PositionId, Premium>,
    pub(super) seen: BTreeMap<ClientOrderId, (bool, Qty)>,
    pub(super) absent: BTreeSet<ClientOrderId>,
    pub(super) findings: Vec<Finding>,
    pub(super) alarms: BTreeMap<AlarmKey, usize>,
    pub(super) closed: usize,
    /// A sell arrived that was proven absent: the broker may be short until its units are booked.
    pub(super) late_sell: bool,
    pub(super) is_frozen: bool,
    /// Units that somebody else bought.
    pub(super) foreign: i64,
    pub(super) answers: Vec<OperatorAnswer>,
    pub(super) log: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let reconciler = ReconcilerParams::new(InstanceTag::new("A1").unwrap());
        let mut core = Direct::new(params(), tables(), &BTreeMap::new()).with_reconciler(reconciler);
        let opened = Event::SessionOpened { hours: hours(), warm_up: false, bars_of: BTreeMap::new() };
        core.handle_now(ms(-1_000), &opened).unwrap();
        let instrument = Instrument {
            id: SLOT,
            segment: Segment::NseFno,
            security_id: TOKEN,
            symbol: "NIFTY 25650 CE".to_owned(),
            kind: InstrumentKind::Option(contract()),
        };
        core.handle_now(ms(-1_000), &Event::Listed { instrument }).unwrap();
        let mut w = World {
            dice: Dice(seed),
            core,
            books: Books::default(),
            history: vec![(i64::MIN, Books::default())],
            line: BTreeMap::new(),
            sent: 0,
            now: 0,
            bid: 2_000,
            last_fault: 0,
            placed: BTreeSet::new(),
            risk_stops: BTreeMap::new(),
            seen: BTreeMap::new(),
            absent: BTreeSet::new(),
            findings: Vec::new(),
            alarms: BTreeMap::new(),
            closed: 0,
            late_sell: false,
            is_frozen: false,
            foreign: 0,
            answers: Vec::new(),
            log: Vec::new(),
        };
        w.later(0, Line::Said(BrokerEvent::PushLink { up: true }));
        w.later(1, Line::Market);
        w
    }

    pub(super) fn faulty(&mut self, percent: u64) -> bool {
        let is_fault = self.now < FAULTS_UNTIL && self.dice.chance(percent);
        if is_fault {
            self.last_fault = self.last_fault.max(self.now);
        }
        is_fault
    }

    pub(super) fn later(&mut self, after: i64, what: Line) {
        self.sent += 1;
        self.line.insert((self.now + after, self.sent), what);
    }

    pub(super) fn handle(&mut self, event: &Event) {
        let log: String = self.log.iter().rev().take(60).rev().cloned().collect();
        self.core.handle_now(ms(self.now), event).unwrap_or_else(|e| panic!("{e} at {} after {log}", self.now));
        self.drain();
    }

    /// Sends what was decided, and checks the laws.
    pub(super) fn drain(&mut self) {
        let mut journaled = Vec::new();
        for entry in self.core.take_journal().collect::<Vec<_>>() {
            match entry {
                JournalEntry::Command { command, .. } => journaled.push(command),
                JournalEntry::Finding { finding, .. } => {
                    if let Finding::ProvenAbsent { id, lists, lookups, .. } = &finding {
                        assert!(lists.len() >= 3 && lookups.len() >= 3, "no end without proof (I11)");
                        self.absent.insert(*id);
                    }
                    self.log.push(format!("{} {finding:?}\n", self.now));
                    self.findings.push(finding);
                }
                JournalEntry::Alarm { key, .. } => *self.alarms.entry(key).or_default() += 1,
                JournalEntry::Report { event, .. } => self.log.push(format!("{} {event:?}\n", self.now)),
                JournalEntry::Exit { note, .. } => self.closed += usize::from(note.reason.is_some()),
                JournalEntry::Operated { answer, .. } => self.answers.push(answer),
                _ => {}
            }
        }
        let commands: Vec<Command> = self.core.take_commands().map(|(_, command)| command).collect();
        assert_eq!(commands, journaled, "nothing leaves that is not written, in that order (I12)");
        for command in commands {
            self.log.push(format!("{} {command:?}\n", self.now));
            let stop = match command {
                Command::Place(spec) => {
                    assert!(self.placed.insert(spec.id), "{} is sent twice (I1)", spec.id);
                    spec.order_type.trigger()
                }
                Command::Modify { order_type, .. } => order_type.trigger(),
                Command::Cancel { .. } => None,
            };
            if let Some(trigger) = stop {
                let in_force = self.core.orders.orders().find(|(o, _)| o.spec.id == command.order_id());
                let in_force = in_force.and_then(|(o, _)| o.spec.order_type.trigger()).unwrap_or(trigger);
                let is_about = |line: &&String| line.contains(&format!("{:?}", command.order_id()));
                let log = || self.log.iter().filter(is_about).cloned().collect::<String>();
                assert!(trigger >= in_force, "a stop falls from {in_force} to {trigger} (I7)\n{}", log());
            }
            self.transmit(command);
        }
        for read in self.core.take_reads().collect::<Vec<_>>() {
            let delay = self.dice.between(1, 30);
            self.later(delay, Line::Read(read, ms(self.now)));
        }
        self.laws();
    }

    pub(super) fn run(&mut self, until: i64) {
        loop {
            let wake = self.core.wake_at().map_or(i64::MAX, |at| (at.nanos() - ms(0).nanos()).div_euclid(1_000_000));
            let next = self.line.keys().next().map_or(i64::MAX, |(at, _)| *at);
            if wake.min(next) > until {
                self.now = until;
                return;
            }
            if wake <= next {
                self.now = self.now.max(wake);
                self.handle(&Event::Timer);
                continue;
            }
            self.now = next;
            match self.line.pop_first().expect("peeked").1 {
                Line::Arrives(command, left_at) => self.arrives(command, left_at),
                Line::Said(said) => {
                    self.handle(&Event::Broker(said));
                }
                Line::Read(read, asked_at) => self.read(read, asked_at),
                Line::Market => self.market(),
                Line::Enter => self.enter(),
                Line::Meddle => self.meddle(),
                Line::Person => self.person(),
                Line::Stranger(lots) => self.stranger(lots),
                Line::Adopt(lots) => {
                    self.adopt(lots);
                }
            }
        }
    }
}
