//! What a caller without a server does: opening by words, and taking connections one by one.

use sockeye::proto::shape::Shape;
use sockeye::{Cause, Ctx, Kind, Message, Op};

use crate::lab::soon;

#[tokio::test]
async fn a_word_is_opened_for_what_is_done_with_it() {
    let ctx = Ctx::default();
    let mut listening = sockeye::listen("mem:x,frame=line", &ctx).await.unwrap();
    let mut near = sockeye::dial("mem:x,frame=line", &ctx).await.unwrap();
    let mut far = soon("a connection", listening.accept()).await.unwrap();
    assert_eq!((far.shape(), far.peer().through.as_slice()), (Shape::Messages, &["frame"][..]));
    near.send(b"hello").await.unwrap();
    let mut message = Message::default();
    assert!(far.receive(&mut message).await.unwrap());
    assert_eq!(message.payload, b"hello");
}

#[tokio::test]
async fn a_word_that_is_no_address_is_an_error_that_says_what_to_write() {
    let ctx = Ctx::default();
    let error = sockeye::dial("tcp:localhost:80,nodeley", &ctx).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Address(_)), "{error:?}");
    assert_eq!((error.op(), error.kind()), (Op::Dial, Kind::Usage));
    assert_eq!(error.to_string(), "cannot connect to tcp:localhost:80,nodeley");
    assert_eq!(error.cause().to_string(), "tcp has no option \"nodeley\"; did you mean \"nodelay\"?");
    let error = sockeye::listen("exec:cat", &ctx).await.unwrap_err();
    assert_eq!((error.op(), error.kind()), (Op::Listen, Kind::Usage));
}
