using Foretier.Node.Link;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Link;

/// <summary>When a link is taken for silent.</summary>
public class LinkPulseTests
{
    private const int Few = 100, PartOfImage = 256 << 10;

    private readonly FakeTimeProvider _clock = new();
    private readonly LinkPulse _pulse;

    public LinkPulseTests() => _pulse = new(_clock);

    [Fact]
    public void A_link_that_is_not_asked_is_never_silent_and_one_that_is_asked_is_after_a_while_until_it_says_something()
    {
        Pass(3_600);
        Assert.False(_pulse.IsSilent);
        _pulse.Sent(Few);
        Assert.False(_pulse.IsSilent);
        // What is sent after it does not make the silence any shorter.
        Pass(2);
        _pulse.Sent(Few);
        Pass(2);
        Assert.True(_pulse.IsSilent);
        _pulse.Heard();
        Assert.False(_pulse.IsSilent);
        Pass(3_600);
        Assert.False(_pulse.IsSilent);
    }

    [Fact]
    public void A_question_behind_a_part_of_an_image_is_waited_for_as_long_as_a_slow_link_takes_over_that()
    {
        _pulse.Sent(PartOfImage);
        Pass(1);
        // The poll that was asked before is answered; the next one stands behind the part.
        _pulse.Heard();
        _pulse.Sent(Few);
        Pass(8.5);
        Assert.False(_pulse.IsSilent);
        Pass(1.6);
        Assert.True(_pulse.IsSilent);

        // When that is long over, it counts no more.
        _pulse.Heard();
        Pass(60);
        _pulse.Sent(Few);
        Pass(4);
        Assert.True(_pulse.IsSilent);
    }

    [Fact]
    public void What_was_answered_has_arrived_and_is_waited_for_no_more()
    {
        _pulse.Sent(PartOfImage);
        var part = _pulse.SentBytes;
        Pass(0.1);
        _pulse.Heard();
        _pulse.Delivered(part);
        _pulse.Sent(Few);
        Pass(4);
        Assert.True(_pulse.IsSilent);
    }

    [Fact]
    public void An_answer_to_what_was_asked_before_a_part_of_an_image_says_nothing_about_the_part()
    {
        _pulse.Sent(Few);
        var poll = _pulse.SentBytes;
        _pulse.Sent(PartOfImage);
        Pass(1);
        _pulse.Heard();
        _pulse.Delivered(poll);
        _pulse.Sent(Few);
        Pass(8);
        Assert.False(_pulse.IsSilent);
    }

    [Fact]
    public void However_much_is_sent_it_is_silent_after_ten_seconds()
    {
        _pulse.Sent(100 * PartOfImage);
        Pass(9.9);
        Assert.False(_pulse.IsSilent);
        Pass(0.2);
        Assert.True(_pulse.IsSilent);

        // A quick link has long delivered it, and is then as soon found out as ever.
        _pulse.Heard();
        _pulse.Sent(Few);
        Pass(4);
        Assert.True(_pulse.IsSilent);
    }

    [Fact]
    public void On_a_quick_link_it_is_two_and_a_half_seconds()
    {
        Answers(20, 0.002);
        Assert.InRange(_pulse.SilentAfter.TotalSeconds, 2.5, 2.55);
    }

    [Fact]
    public void Over_a_satellite_two_packets_may_be_lost_one_after_the_other()
    {
        // A poll of a second, the way, and the system sending again after 0.9 s and after twice that.
        const double TwoLost = 1 + 0.6 + 0.9 + 1.8;
        Answers(1, 0.6);
        Assert.True(_pulse.SilentAfter.TotalSeconds > TwoLost);
        Answers(50, 0.6);
        Assert.InRange(_pulse.SilentAfter.TotalSeconds, TwoLost - 0.01, 5);
    }

    [Fact]
    public void What_takes_long_to_answer_is_no_long_way()
    {
        Answers(50, 60);
        Assert.True(_pulse.SilentAfter < TimeSpan.FromSeconds(10));
        Answers(20, 0.002);
        Answers(20, 0.002);
        Assert.InRange(_pulse.SilentAfter.TotalSeconds, 2.5, 3);
    }

    private void Answers(int count, double seconds)
    {
        for (var i = 0; i < count; i++)
        {
            _pulse.Answered(TimeSpan.FromSeconds(seconds));
        }
    }

    private void Pass(double seconds) => _clock.Advance(TimeSpan.FromSeconds(seconds));
}
