import io

from mcviz.progress import SamplingProgress, duration, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_how_far_how_fast_and_how_long():
    line = progress_line(1_500_000, 5_000_000, 1_000_000.0, images=10_000)
    assert line == "[######..............]  30%  100.0 passes/s  1,000,000 images/s  0:04 left"


def test_before_anything_was_measured_no_speed_is_claimed():
    assert progress_line(0, 100, None, images=10) == "[....................]   0%"


def test_a_duration_reads_as_a_clock_does():
    assert [duration(seconds) for seconds in (0.4, 61, 3599.7, 36_000)] == ["0:00", "1:01", "1:00:00", "10:00:00"]


def test_the_speed_of_a_resumed_sampling_counts_only_what_was_sampled_now():
    clock = iter([0.0, 10.0])
    stream = Terminal()
    progress = SamplingProgress(images=10, stream=stream, clock=lambda: next(clock))
    progress(900, 1000)
    progress(950, 1000)
    assert stream.getvalue().endswith(progress_line(950, 1000, 5.0, images=10))


def test_a_terminal_gets_one_line_drawn_over_and_over_at_most_ten_times_a_second():
    times = iter([i / 100 for i in range(101)])
    stream = Terminal()
    progress = SamplingProgress(images=1, stream=stream, clock=lambda: next(times))
    for done in range(101):
        progress(done, 100)
    progress.close()
    assert 9 <= stream.getvalue().count("\r") <= 11
    assert stream.getvalue().count("\n") == 1
    assert "100%" in stream.getvalue()


def test_a_log_file_gets_whole_lines_every_ten_seconds_and_the_last():
    times = iter(range(26))
    stream = io.StringIO()
    progress = SamplingProgress(images=1, stream=stream, clock=lambda: float(next(times)))
    for done in range(26):
        progress(done, 25)
    progress.close()
    assert [line[23:26] for line in stream.getvalue().splitlines()] == ["  0", " 40", " 80", "100"]
