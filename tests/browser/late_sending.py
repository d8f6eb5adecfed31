"""`python -m tests.browser.late_sending` is `mcviz`, with a dashboard that is as late as a busy machine may make it.

Of the first drawing, the browser of each visit gets what comes up to the words of the variable LAST_SENT; all else once
somebody clicks in a fragment.
"""

import os
from weakref import WeakKeyDictionary

from google.protobuf.message import Message
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from mcviz.cli import run

LAST_SENT = os.environ["LAST_SENT"].encode()
flush, clear = ForwardMsgQueue.flush, ForwardMsgQueue.clear
is_held: WeakKeyDictionary[ForwardMsgQueue, bool] = WeakKeyDictionary()  # False once it is released


def flush_early(queue: ForwardMsgQueue) -> list[Message]:
    """Take what may be sent from the queue."""
    if is_held.get(queue):
        return []
    ends = [at for at, message in enumerate(queue._queue, 1) if LAST_SENT in message.SerializeToString()]
    if queue in is_held or not ends:
        return flush(queue)
    is_held[queue] = True
    late, queue._queue = queue._queue[ends[0] :], queue._queue[: ends[0]]
    sent = flush(queue)
    queue._queue = late
    return sent


def clear_and_release(
    queue: ForwardMsgQueue, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None
) -> None:
    """Clear the queue as Streamlit does, and send what is left and all that comes."""
    clear(queue, retain_lifecycle_msgs, fragment_ids_this_run)
    if queue in is_held and fragment_ids_this_run is not None:
        is_held[queue] = False


if __name__ == "__main__":
    ForwardMsgQueue.flush, ForwardMsgQueue.clear = flush_early, clear_and_release
    run()
