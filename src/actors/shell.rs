//! What all deciders' actors share: how a message is declared and answered, and the sign of life.

/// Messages that may wait in a decider's mailbox: the hub has one question under way at a time, and a few signs of life
/// may stand behind it.
pub(super) const MAILBOX: usize = 8;

/// Asks for a sign of life; it changes nothing.
#[derive(Debug, Clone, Copy, actix::Message)]
#[rtype(result = "()")]
pub struct Beat;

/// Declares an actor: its state, a pulse, and a bounded mailbox.
macro_rules! decider {
    ($(#[$doc:meta])* $actor:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $actor {
            pulse: $crate::actors::pulse::Beating,
            $($field: $type),*
        }

        impl actix::Actor for $actor {
            type Context = actix::Context<Self>;

            fn started(&mut self, ctx: &mut Self::Context) {
                ctx.set_mailbox_capacity($crate::actors::shell::MAILBOX);
            }
        }

        impl actix::Handler<$crate::actors::shell::Beat> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::actors::shell::Beat, _: &mut Self::Context) {
                self.pulse.answer();
            }
        }
    };
}

/// Declares questions and how the actor answers them. Every question carries the stamp of the event it belongs to;
/// the actor's pulse tells what is in hand.
macro_rules! questions {
    ($actor:ident: $($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? } -> $answer:ty
        = |$me:ident, $ask:ident| $body:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name {
                /// The event it belongs to.
                pub now: scalper_decide::domain::Stamp,
                $(#[allow(missing_docs, reason = "named by its type and by the question")] pub $field: $type),*
            }

            impl actix::Message for $name {
                type Result = $answer;
            }

            impl actix::Handler<$name> for $actor {
                type Result = actix::MessageResult<$name>;

                #[inline]
                fn handle(&mut self, $ask: $name, _: &mut Self::Context) -> Self::Result {
                    self.pulse.begin($ask.now);
                    let $me = self;
                    let answer = $body;
                    $me.pulse.end();
                    actix::MessageResult(answer)
                }
            }
        )*
    };
}

pub(super) use {decider, questions};
