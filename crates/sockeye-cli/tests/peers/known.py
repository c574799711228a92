# A peer that asks again and again until it is told to stop, and then until it is answered once more. Its questions are
# numbered. Prints how many it asked, how many were answered, and how many different words stood before the answers.
import select

conn = connect(sys.argv[1])
asked, answered, seen = 0, 0, set()
is_told, is_answered = False, False
while not (is_told and is_answered):
    asked += 1
    conn.send(b"%d" % asked)
    is_answered = False
    end = time.monotonic() + 0.1
    while not is_answered and select.select([conn], [], [], max(0, end - time.monotonic()))[0]:
        before, _, number = conn.recv(100).rpartition(b" ")
        answered += 1
        seen.add(before)
        is_answered = int(number) == asked
    if asked == 2:
        say("is known")
    time.sleep(0.002)
    is_told = is_told or select.select([sys.stdin], [], [], 0)[0] != []
say(f"{asked} {answered} {len(seen)}")
