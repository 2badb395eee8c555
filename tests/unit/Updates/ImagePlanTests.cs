using CsCheck;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;
using Foretier.Router.Images;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Which boxes get an image now, given how all of them stand.</summary>
public class ImagePlanTests
{
    private const string Digest = "d1";
    private const long Now = 1_000 * Instant.Hour;
    private const long Watch = 600;
    private static readonly ImageRollout _toAll = new("1.1.0", RolloutStage.Trial, 100, [], Watch, null, 100, 100);

    [Fact]
    public void One_box_begins_alone()
    {
        var plan = Plan(_toAll, [.. Boxes(20)]);
        Assert.Single(plan.Turn);
        Assert.All(plan.Boxes.Values, standing => Assert.Equal(UpdateStanding.Waiting, standing.Standing));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(4, 4)]
    [InlineData(8, 8)]
    public void As_many_begin_at_once_as_have_it_and_did_well(int done, int begin)
    {
        var boxes = Boxes(20).ToList();
        for (var i = 0; i < done; i++)
        {
            boxes[i] = Done(boxes[i]);
        }
        Assert.Equal(done + begin, Plan(_toAll, [.. boxes]).Turn.Count);
    }

    [Fact]
    public void None_begins_while_others_fetch_install_or_are_watched()
    {
        var boxes = Boxes(6).ToList();
        foreach (var begun in new[] { Fetching(boxes[0]), Installing(boxes[0]), Installing(boxes[0]) with { Connected = false }, Watched(boxes[0]) })
        {
            Assert.Equal("edge-0", Assert.Single(Plan(_toAll, [begun, .. boxes[1..]]).Turn));
        }
    }

    [Fact]
    public void A_box_that_is_away_is_left_out_and_holds_nobody_up_before_it_installs()
    {
        var boxes = Boxes(3).ToList();
        var plan = Plan(_toAll, boxes[0] with { Connected = false }, Fetching(boxes[1]) with { Connected = false }, boxes[2]);
        Assert.Equal(["edge-1", "edge-2"], plan.Turn.Order());
        Assert.Equal(new(UpdateStanding.Waiting, "away"), plan.Boxes["edge-0"]);
    }

    [Fact]
    public void Percent_and_labels_choose_and_what_cannot_or_need_not_is_told()
    {
        var boxes = Boxes(5).ToList();
        var plan = Plan(_toAll with { Labels = ["canary"] },
            boxes[0] with { Labels = ["canary"] }, boxes[1],
            boxes[2] with { Labels = ["canary"], Image = boxes[2].Image with { Unable = "it trusts no key" } },
            boxes[3] with { Labels = ["canary"], Image = boxes[3].Image with { Running = "1.2.0" } },
            boxes[4] with { Labels = ["canary"], Image = boxes[4].Image with { Running = "1.1.0" } });
        Assert.Equal([UpdateStanding.Waiting, UpdateStanding.NotMeant, UpdateStanding.Unable, UpdateStanding.Newer, UpdateStanding.Done], boxes.Select(box => plan.Boxes[box.Node].Standing));
        Assert.Equal("it trusts no key", plan.Boxes["edge-2"].Detail);
        Assert.Empty(Plan(_toAll with { Percent = 0 }, [.. boxes]).Turn);
    }

    [Theory]
    [InlineData(ImageOutcome.Failed)]
    [InlineData(ImageOutcome.Refused)]
    public void A_box_that_refuses_or_goes_back_ends_it_and_is_named(ImageOutcome outcome)
    {
        var boxes = Boxes(6).ToList();
        var plan = Plan(_toAll, [Done(boxes[0]), Last(boxes[1], outcome, "it did not start", 100), .. boxes[2..]]);
        Assert.Equal(("edge-1", "it did not start"), plan.Failure);
        Assert.Equal("edge-0", Assert.Single(plan.Turn));
        // Of an earlier try, or of another release, it does not count.
        Assert.Null(Plan(_toAll with { Started = 101 }, [.. boxes[1..], Last(boxes[0], outcome, "", 100)]).Failure);
        Assert.Null(ImagePlan.Make(_toAll, "d2", [Last(boxes[0], outcome, "", 100)], Now).Failure);
    }

    [Fact]
    public void A_box_that_does_not_come_back_ends_it()
    {
        var box = Installing(Boxes(1).Single()) with { Connected = false };
        Assert.Null(Plan(_toAll, box with { Since = Now - 30 * Instant.Minute }).Failure);
        Assert.Equal(("edge-0", "it began to install 1.1.0 31 min ago and has not come back"), Plan(_toAll, box with { Since = Now - 31 * Instant.Minute }).Failure);
    }

    [Fact]
    public void A_box_that_is_less_well_at_the_end_of_its_watch_ends_it_and_later_only_holds_up_others()
    {
        var box = Boxes(1).Single();
        PlannedBox Unwell(long seconds) => Watched(box) with { Since = Now - seconds * Instant.Second, Image = Watched(box).Image with { ProblemsBefore = 1, Problems = ["no model", "disk full"] } };
        Assert.Equal(UpdateStanding.Watched, Plan(_toAll, Unwell(Watch - 1)).Boxes["edge-0"].Standing);
        Assert.Equal(("edge-0", "it is not well with 1.1.0: no model"), Plan(_toAll, Unwell(Watch)).Failure);
        var later = Plan(_toAll, Unwell(2 * Watch), Boxes(2).Last());
        Assert.Null(later.Failure);
        Assert.Equal("edge-0", Assert.Single(later.Turn));
        Assert.Equal(new(UpdateStanding.Waiting, "edge-0 has it, and is not well: no model"), later.Boxes["edge-1"]);
        // What it complained of before, it may complain of after.
        var asBefore = Unwell(Watch);
        Assert.Equal(UpdateStanding.Done, Plan(_toAll, asBefore with { Image = asBefore.Image with { ProblemsBefore = 2 } }).Boxes["edge-0"].Standing);
    }

    [Fact]
    public void A_box_that_is_away_is_not_watched_and_one_that_did_well_and_is_away_lets_no_other_begin()
    {
        var boxes = Boxes(8).ToList();
        var lost = Done(boxes[0]) with { Connected = false, Heard = Now - Watch * Instant.Second + 10 * Instant.Second };
        Assert.Equal(new(UpdateStanding.Watched, "away"), Plan(_toAll, lost).Boxes["edge-0"]);
        Assert.Equal("edge-0", Assert.Single(Plan(_toAll, [lost, .. boxes[1..]]).Turn));
        var three = Plan(_toAll, [Done(boxes[0]), Done(boxes[1]) with { Connected = false }, Done(boxes[2]) with { Connected = false }, .. boxes[3..]]);
        Assert.Equal(4, three.Turn.Count);
    }

    [Theory]
    [InlineData(RolloutStage.Paused)]
    [InlineData(RolloutStage.Stopped)]
    [InlineData(RolloutStage.RolledBack)]
    public void Nobody_begins_what_is_paused_or_over(RolloutStage stage) => Assert.Empty(Plan(_toAll with { Stage = stage }, [.. Boxes(4)]).Turn);

    [Fact]
    public void Ended_by_itself_boxes_that_do_not_do_well_with_it_go_back_and_those_that_do_keep_it()
    {
        var boxes = Boxes(4).ToList();
        var unwell = Done(boxes[1]) is var done ? done with { Image = done.Image with { Problems = ["no model"] } } : done;
        var halted = _toAll with { Stage = RolloutStage.Stopped, Halt = new("edge-3", "it did not start", new(Now)) };
        var plan = Plan(halted, Done(boxes[0]), unwell, boxes[2], boxes[3]);
        Assert.Equal([RolloutStage.Stopped, RolloutStage.RolledBack, RolloutStage.Stopped, RolloutStage.RolledBack], boxes.Select(box => plan.StageFor(halted, box.Node)!.Value));
        // Stopped by an operator it stays where it is.
        Assert.All(boxes, box => Assert.Equal(RolloutStage.Stopped, plan.StageFor(halted with { Halt = null }, box.Node)));
    }

    [Fact]
    public void Going_back_as_told_is_no_failure_but_of_the_box_that_ended_it()
    {
        var boxes = Boxes(2).Select(box => Last(box, ImageOutcome.WentBack, "rolled back from above", 100)).ToArray();
        var plan = Plan(_toAll with { Stage = RolloutStage.Stopped, Halt = new("edge-1", "no model", new(Now)) }, boxes);
        Assert.Equal([new(UpdateStanding.WentBack, "rolled back from above"), new(UpdateStanding.Failed, "no model")], boxes.Select(box => plan.Boxes[box.Node]));
    }

    /// <summary>Whatever boxes say: at most as many are under way as did well (one at first), and only those that are meant and there begin.</summary>
    [Fact]
    public void No_more_are_under_way_than_did_well()
    {
        var make = Gen.Int[0, 6].Array[0, 40].Select(Gen.Int[0, 100], (kinds, percent) => (kinds, percent));
        make.Sample(made =>
        {
            var boxes = made.kinds.Zip(Boxes(made.kinds.Length), (kind, box) => kind switch
            {
                0 => Done(box),
                1 => box with { Connected = false },
                2 => box with { Image = box.Image with { Unable = "no key" } },
                _ => box,
            }).ToArray();
            // Rounds of one box after the other doing well, until nobody begins.
            for (var round = 0; ; round++)
            {
                var plan = Plan(_toAll with { Percent = made.percent }, boxes);
                var begin = plan.Turn.Where(node => plan.Boxes[node].Standing == UpdateStanding.Waiting).ToHashSet();
                var done = plan.Boxes.Values.Count(standing => standing.Standing == UpdateStanding.Done);
                Assert.True(begin.Count <= Math.Max(1, done));
                Assert.All(boxes.Where(box => begin.Contains(box.Node)), box => Assert.True(box.Connected && box.Image.Unable is null));
                if (begin.Count == 0)
                {
                    Assert.DoesNotContain(plan.Boxes, one => one.Value == new BoxStanding(UpdateStanding.Waiting));
                    return;
                }
                boxes = [.. boxes.Select(box => begin.Contains(box.Node) ? Done(box) : box)];
                Assert.True(round < 40);
            }
        });
    }

    private static ImagePlan Plan(ImageRollout rollout, params PlannedBox[] boxes) => ImagePlan.Make(rollout, Digest, boxes, Now);

    private static IEnumerable<PlannedBox> Boxes(int count) => Enumerable.Range(0, count)
        .Select(i => new PlannedBox($"edge-{i}", true, [], new("1.0.0", null, ImagePhase.Idle, null, 0, 0, null, null, [], null), Now, Now));

    private static PlannedBox Done(PlannedBox box) => Watched(box) with { Since = Now - Watch * Instant.Second };

    private static PlannedBox Watched(PlannedBox box) => Last(box, ImageOutcome.Installed, null, 100) is var last ? last with { Image = last.Image with { Running = "1.1.0", ProblemsBefore = 0 } } : last;

    private static PlannedBox Fetching(PlannedBox box) => box with { Image = box.Image with { Phase = ImagePhase.Fetching, Version = "1.1.0", Bytes = 40, BytesAll = 100 } };

    private static PlannedBox Installing(PlannedBox box) => box with { Image = box.Image with { Phase = ImagePhase.Installing, Version = "1.1.0" } };

    private static PlannedBox Last(PlannedBox box, ImageOutcome outcome, string? reason, long revision) =>
        box with { Image = box.Image with { Last = new("1.1.0", Digest, outcome, reason, new(Now), revision) } };
}
