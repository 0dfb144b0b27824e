using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class JobFileTests
{
    [Fact]
    public void A_job_of_one_segment_is_complete_with_its_defaults()
    {
        JobSpec job = Read("segments: [{name: hello, command: [echo, hi]}]");
        Assert.Equal("job", job.Name);
        SegmentSpec segment = Assert.Single(job.Segments);
        Assert.Equal(["echo", "hi"], segment.Command!.Argv);
        Assert.Equal(1, JobForm.TaskCount(segment));
        Assert.Equal(1000, segment.Resources.ToRequest().MilliCpus);
        Assert.Equal((2, 1, 0, TimeSpan.FromDays(7)), (segment.Retries, segment.Durability, segment.Priority, segment.Timeout));
    }

    [Fact]
    public void Every_field_of_a_segment_is_read()
    {
        JobSpec job = Read("""
            name: all
            description: every field
            budget: 12.5
            max_fails: 3
            segments:
              - name: a
                command: [make]
                outputs: {x: {path: x.txt, optional: true}}
              - name: b
                array: 1-100:3
                concurrency: 10
                driver: dotnet
                handler: solve
                alternatives: [{driver: process, command: "solve --cpu", resources: {cpu: 4}}]
                resources: {cpu: 0.5, memory: 512MiB, disk: 1GB, network: 100, gpu: {count: 1, type: A100, memory: 40GB, fraction: 0.25}, named: {matlab: 2}}
                constraints: {labels: [ssd], not_labels: [slow], architecture: x86_64, region: eu, zone: a, max_workers: 5, prefer_colocated: true}
                needs: [a, {segment: a, tasks: "0"}]
                inputs: {local: data/in.txt, blob: "ipfs://bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", made: {from: a.x, to: made/x, optional: true}}
                outputs: {y: "*.dat"}
                env: {A: 1, B: "two ${{ index }}", C: true}
                secrets: {TOKEN: "env:MY_TOKEN"}
                bid: 1.5
                limit: 2/h
                deadline: 2h30m
                estimate: 90s
                retries: 5
                priority: -10
                timeout: 1d
                durability: 0
                accept: 2 of 3
                check: test -s out
                policy: fastest
                on_scheduler_lost: stop
                public: true
            """);
        SegmentSpec b = job.Segments[1];
        ResourceRequest request = b.Resources.ToRequest();
        Assert.Equal((500, 512L << 20, 1_000_000_000, 100), (request.MilliCpus, request.MemoryBytes, request.DiskBytes, request.NetworkMbps));
        Assert.Equal(new GpuRequest { Count = 1, Type = "A100", MemoryBytes = 40_000_000_000, Share = 2_500 }, request.Gpu);
        Assert.Equal([new NamedAmount("matlab", 2)], request.Named);
        Assert.Equal((34, 100), (JobForm.TaskCount(b), JobForm.Number(b, 33)));
        Assert.Equal("solve --cpu", JobTasks.With(b, 1).Command!.Script);
        Assert.Null(JobTasks.With(b, 1).Handler);
        Assert.Equal(("data/in.txt", "local"), (b.Inputs["local"].Path, b.Inputs["local"].To));
        Assert.NotNull(b.Inputs["blob"].Cid);
        Assert.Equal(("1", "true"), (b.Env["A"], b.Env["C"]));
        Assert.Equal((1_500_000, 2_000_000), (b.Bid!.Value.MicroPerHour, b.Limit!.Value.MicroPerHour));
        Assert.Equal(new AcceptRule(2, 3), b.Accept);
        Assert.False(job.Segments[0].Outputs["x"].Result);
        Assert.Equal((true, "b/${{ number }}/y"), (b.Outputs["y"].Result, b.Outputs["y"].To));
        Assert.Equal(new Credits(12_500_000), job.Budget);
    }

    [Fact]
    public void All_errors_are_reported_each_at_its_place()
    {
        Assert.Equal(
            """
            job.yaml:2:1: pramas: unknown field 'pramas'; did you mean 'params'?
            job.yaml:3:9: budget: found '-5'; allowed: an amount of credits such as 12.5: not negative, at most six decimals, at most a million
            job.yaml:6:12: segments[0].count: found 'ten'; allowed: a whole number of 32 bits
            job.yaml:7:14: segments[0].command: found named fields; allowed: a list (a program and its arguments) or a text (a script for sh)
            job.yaml:8:22: segments[0].resources.cpu: found '-1'; allowed: a number of cores such as 2 or 0.5, with at most three decimals
            job.yaml:8:26: segments[0].resources.mem: unknown field 'mem'; did you mean 'memory'?
            job.yaml:9:11: segments[1].name: found 'B!'; allowed: a lower-case letter, then letters, digits, '_' and '-', at most 64 characters
            job.yaml:10:16: segments[1].exclusive: found 'yes'; allowed: true or false
            job.yaml:11:13: segments[1].needs[0].segment: no segment 'x'; did you mean 'a'?
            """.ReplaceLineEndings("\n"),
            Errors("""
                name: bad
                pramas: {}
                budget: -5
                segments:
                  - name: a
                    count: ten
                    command: {echo: hi}
                    resources: {cpu: -1, mem: 5}
                  - name: "B!"
                    exclusive: yes
                    needs: [x]
                    command: [x]
                """));
    }

    [Theory]
    [InlineData("count: 3\n    items: [a]", "items: count and items together; allowed: one of count, array, items, files and nodes")]
    [InlineData("nodes: 2\n    count: 3", "nodes: count and nodes together; allowed: one of count, array, items, files and nodes")]
    [InlineData("count: 0", "count: found 0; allowed: 1 to 1000000")]
    [InlineData("count: 1000001", "count: found 1000001; allowed: 1 to 1000000")]
    [InlineData("items: []", "items: an empty list; allowed: one item or more")]
    [InlineData("exclusive: true\n    accept: 1 of 2", "accept: accept: 1 of 2 with exclusive, which allows one attempt at a time; allowed: accept: first")]
    [InlineData("nodes: 2\n    accept: 1 of 2", "accept: accept: 1 of 2 in a gang; allowed: accept: first")]
    [InlineData("bid: 2\n    limit: 1", "limit: a limit of 1/h below the bid of 2/h; allowed: a limit that is not below the bid")]
    [InlineData("bid: 99999999999", "bid: found '99999999999'; allowed: a price in credits per hour such as 1.5: not negative, at most six decimals, at most a million")]
    [InlineData("bid: .nan", "bid: found '.nan'; allowed: a price in credits per hour such as 1.5: not negative, at most six decimals, at most a million")]
    [InlineData("durability: 4", "durability: found 4; allowed: 0 to 3")]
    [InlineData("timeout: 0s", "timeout: found 0s; allowed: a duration above 0")]
    [InlineData("driver: container", "driver: not supported yet in this version: the driver container; allowed: process, dotnet")]
    [InlineData("driver: podman", "driver: found 'podman'; allowed: process, dotnet")]
    [InlineData("streams: []", "streams: not supported yet in this version: streaming edges")]
    [InlineData("elastic: {}", "elastic: not supported yet in this version: elastic groups")]
    [InlineData("checkpoint: x", "checkpoint: not supported yet in this version: checkpoints")]
    [InlineData("shell: ls", "shell: unknown field 'shell'; did you mean 'command'?")]
    [InlineData("env: {DRAP_X: 1}", "env.DRAP_X: the name 'DRAP_X'; allowed: names that do not start with DRAP_")]
    [InlineData("env: {A: }", "env.A: found nothing; allowed: a text; \"\" is the empty one")]
    [InlineData("secrets: {T: hunter2}", "secrets.T: a secret's value, or nothing; allowed: where the client finds it: env:NAME or file:PATH")]
    [InlineData("outputs: {x: ../up}", "outputs.x.path: found '../up'; allowed: a relative path without '..', at most 4095 characters")]
    [InlineData("outputs: {x: /abs}", "outputs.x.path: found '/abs'; allowed: a relative path without '..', at most 4095 characters")]
    [InlineData("outputs: {x: o, y: {path: p, to: o}}", "outputs.y.to: 'o', which segments[1].outputs.x fills too; allowed: places of their own")]
    [InlineData("outputs: {x: {path: p, to: d/e}, y: {path: q, to: d}}", "outputs.y.to: 'd', which segments[1].outputs.x fills too; allowed: places of their own")]
    [InlineData("outputs: {x: {path: p, to: d}, y: {path: q, to: d/e/f}}", "outputs.y.to: 'd/e/f', which segments[1].outputs.x fills too; allowed: places of their own")]
    [InlineData("count: 2\n    outputs: {x: {to: r}}", "outputs.x.to: 'r' for each of 2 tasks; allowed: a place for each, as with ${{ index }} or ${{ item }} in it")]
    [InlineData("inputs: {x: {}}", "inputs.x: no source; allowed: one of path, cid and from")]
    [InlineData("inputs: {x: {path: a, cid: b}}", "inputs.x: more than one source; allowed: one of path, cid and from")]
    [InlineData("inputs: {x: {path: a, to: d}, y: {path: b, to: d/e}}", "inputs.y.to: 'd/e', which 'x' fills too; allowed: places of their own")]
    [InlineData("inputs: {x: {from: one.y}}", "inputs.x.from: 'one' has no output 'y'; allowed: an output; it has none")]
    [InlineData("inputs: {x: {from: one}}", "inputs.x.from: found 'one'; allowed: SEGMENT.OUTPUT; the output's name may be an expression of index and number")]
    [InlineData("env: {A: \"${{ item }}\"}", "env.A: 'item' is not known; allowed: index, number, job.name, segment.name, segment.count, job.id")]
    [InlineData("env: {A: \"${{ params.x }}\"}", "env.A: 'params.x' is not known; allowed: no params")]
    [InlineData("resources: {cpu: \"${{ index }}\"}", "resources.cpu: 'index' is known only when a task starts; allowed: here, params and the counts of segments above")]
    [InlineData("resources: {gpu: {count: 2, fraction: 0.5}}", "resources.gpu.fraction: a part of each of 2 devices; allowed: a part of one device, or whole ones")]
    [InlineData("resources: {memory: 99999999999999999999}", "resources.memory: found '99999999999999999999'; allowed: a size such as 512MiB, 1GB or 4096")]
    [InlineData("constraints: {architecture: amd64}", "constraints.architecture: found 'amd64'; allowed: the word of uname: x86_64")]
    [InlineData("stdin: true", "retries: retries with stdin, which can be read once; allowed: retries: 0")]
    [InlineData("handler: h", "handler: a handler; allowed: a handler only with driver: dotnet")]
    [InlineData("needs: one", "needs: found 'one'; allowed: a list: [one]")]
    [InlineData("needs: [{segment: one, tasks: some}]", "needs[0].tasks: 'some' names no indices; allowed: all, same, or indices such as ${{ 4 * index }}..${{ 4 * index + 3 }}")]
    [InlineData("count: 2\n    needs: [{segment: one, tasks: same}]", "needs[0].tasks: same, where 'two' has 2 tasks and 'one' has 1; allowed: same between segments of one size")]
    [InlineData("count: 2\n    needs: [{segment: one, tasks: \"${{ index }}\"}]", ": the task with index 1 chooses none of the 1 tasks of 'one'; allowed: indices that there are")]
    public void A_mistake_in_a_segment_is_named(string fields, string expected)
    {
        string yaml = $"segments:\n  - name: one\n    command: [a]\n  - name: two\n    command: [b]\n    {fields}\n";
        string error = Assert.Single(Errors(yaml).Split('\n'));
        string path = expected.StartsWith(": ", StringComparison.Ordinal) ? "segments[1]" : "segments[1].";
        Assert.Equal(path + expected, error[(error.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
    }

    [Theory]
    [InlineData("a: [b", "job.yaml:2:1: While parsing")]
    [InlineData("", "job.yaml:1:1: an empty file; allowed: a job: name and segments")]
    [InlineData("[]", "job.yaml:1:1: found a list; allowed: a job's fields: name, segments, …")]
    [InlineData("name: x\nname: y", "job.yaml:2:1: 'name' a second time; allowed: each field once")]
    [InlineData("name: x\n---\nname: y", "job.yaml:2:1: a second document; allowed: one job in a file")]
    [InlineData("name: *x", "job.yaml:1:")]
    [InlineData("name: &x [*x]", "job.yaml:1:")]
    [InlineData("name: !!binary x", "job.yaml:1:7: the tag tag:yaml.org,2002:binary; allowed: values without tags")]
    [InlineData("{[a]: b}", "job.yaml:1:2: a list as a field's name; allowed: a text")]
    [InlineData("name: x", "job.yaml:1:1: segments: no segments; allowed: a list of segments")]
    [InlineData("segments: {a: 1}", "job.yaml:1:11: segments: found named fields; allowed: a list of segments")]
    [InlineData("segments: [5]", "job.yaml:1:12: segments[0]: found '5'; allowed: fields: name, count,")]
    public void Text_that_is_no_job_is_refused_with_its_place(string text, string expected) =>
        Assert.StartsWith(expected, Errors(text), StringComparison.Ordinal);

    [Fact]
    public void Cycles_are_named()
    {
        string errors = Errors("""
            segments:
              - {name: a, command: [x], needs: [c]}
              - {name: b, command: [x], inputs: {i: {from: a.o}}}
              - {name: c, command: [x], needs: [b]}
            """.Replace("name: a,", "name: a, outputs: {o: o},", StringComparison.Ordinal));
        Assert.Equal("job.yaml:2:5: segments[0]: a cycle: a → c → b → a; allowed: segments that need each other in one direction", errors);
        Assert.Contains("a cycle: a → a", Errors("segments: [{name: a, command: [x], needs: [a]}]"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_of_aliases_is_refused_before_it_grows()
    {
        string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + string.Concat(Enumerable.Range(1, 40).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n"));
        Assert.Contains("more than 4000000 values, aliases expanded", Errors(bomb), StringComparison.Ordinal);
        Assert.Contains("more than 32 levels of nesting", Errors("a: " + new string('[', 10_000)), StringComparison.Ordinal);
        Assert.Contains("more than 32 levels of nesting", Errors(string.Concat(Enumerable.Range(0, 100).Select(i => new string(' ', i) + "a:\n"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_have_types_and_limits()
    {
        const string yaml = """
            params:
              size: 1GB
              n: {type: int, default: 4, min: 1, max: 10}
              mode: {type: enum, values: [fast, slow], default: fast}
              text: "5"
              wait: 5m
              dir: {type: path, default: data}
            segments:
              - name: a
                count: ${{ params.n }}
                command: [run, "${{ params.size / params.n }}", "${{ params.mode }}", "${{ params.text }}", "${{ params.dir }}"]
                timeout: ${{ params.wait }}
                resources: {memory: "${{ params.size }}"}
            """;
        SegmentSpec segment = Read(yaml, ("n", "5"), ("mode", "slow"), ("dir", "sub/../x y")).Segments[0];
        Assert.Equal(["run", "200000000", "slow", "5", "/home/me/x y"], segment.Command!.Argv);
        Assert.Equal((5, TimeSpan.FromMinutes(5), 1_000_000_000), (segment.Count, segment.Timeout, segment.Resources.Memory.Bytes));
        Assert.Equal("data", Read(yaml).Segments[0].Command!.Argv[4]);
        Assert.Equal("job.yaml:1:1: --param n: found '11'; allowed: at most 10", Errors(yaml, ("n", "11")));
        Assert.Equal("job.yaml:1:1: --param n: found '0'; allowed: at least 1", Errors(yaml, ("n", "0")));
        Assert.Equal("job.yaml:1:1: --param size: found '-1'; allowed: a size such as 512MiB, 1GB or 4096", Errors(yaml, ("size", "-1")));
        Assert.Equal("job.yaml:1:1: --param mode: found 'x'; allowed: fast, slow", Errors(yaml, ("mode", "x")));
        Assert.Equal("job.yaml:1:1: --param sizes: no parameter 'sizes'; did you mean 'size'?", Errors(yaml, ("sizes", "1")));
    }

    [Fact]
    public void A_task_that_fits_no_message_is_refused_when_the_job_is_read()
    {
        const string many = "segments: [{name: a, count: 3000, command: [x], outputs: {o: o}}, {name: b, command: [x], inputs: {i: {from: a.o}}}]";
        Assert.Contains("288000 of them for its inputs; allowed: at most 245760", Errors(many), StringComparison.Ordinal);
        Read(many.Replace("3000", "2000", StringComparison.Ordinal));
        string text = new('x', 100_000);
        Assert.Contains("a task of about 300", Errors($"segments: [{{name: a, command: [{text}, {text}, {text}]}}]"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_parameter_is_named_at_its_place() =>
        Assert.Equal(
            "job.yaml:2:35: segments[0].command[0]: 'params.sze' is not known; did you mean 'params.size'?",
            Errors("params: {size: 1}\nsegments: [{name: a, command:    [\"${{ params.sze }}\"], count: 1}]"));

    [Fact]
    public void Defaults_hold_for_segments_that_do_not_say_otherwise()
    {
        JobSpec job = Read("""
            defaults: {retries: 7, env: {A: 1, B: 1}, resources: {cpu: 2}}
            segments:
              - {name: a, command: [x], env: {B: 2}}
              - {name: b, command: [x], retries: 0, resources: {memory: 1GB}}
            """);
        Assert.Equal((7, "1", "2", 2000), (job.Segments[0].Retries, job.Segments[0].Env["A"], job.Segments[0].Env["B"], job.Segments[0].Resources.Cpu.Milli));
        Assert.Equal((0, 1000), (job.Segments[1].Retries, job.Segments[1].Resources.Cpu.Milli));
        Assert.Equal("job.yaml:1:21: segments[0].retries: found 'x'; allowed: a whole number of 32 bits",
            Errors("defaults: {retries: x}\nsegments: [{name: a, command: [x]}]").Replace("1:21", "1:21", StringComparison.Ordinal));
    }

    [Fact]
    public void A_complete_job_written_as_JSON_reads_back_as_the_same_job()
    {
        JobSpec job = Read("""
            params: {n: 3}
            segments:
              - {name: a, items: [{lr: 0.1, m: x}, {lr: 0.2, m: y}], command: [t, "${{ item.lr }}", "$${{ no }}"], outputs: {o: "o-${{ index }}"}}
              - {name: b, command: "cat ${{ inputs.o }}/*", inputs: {o: {from: a.o}}, accept: 1 of 2, timeout: 5m, resources: {gpu: 1}}
            """);
        byte[] json = JobJson.Write(job);
        Assert.True(JobJson.TryRead(json, out JobSpec? again, out string? error), error);
        Assert.Equal(json, JobJson.Write(again));
        Assert.Empty(JobRules.Check(again));
        JobFileResult file = JobFile.Read(System.Text.Encoding.UTF8.GetString(json), new JobFileOptions { FileName = "job.json" });
        Assert.Empty(file.Errors);
        Assert.Equal(json, JobJson.Write(file.Job!));
    }

    [Fact]
    public void JSON_files_have_places_too() =>
        Assert.Equal(
            "j.json:3:18: segments[0].cout: unknown field 'cout'; did you mean 'count'?",
            string.Join('\n', JobFile.Read("{\n \"segments\": [{\"name\": \"a\", \"command\": [\"é\"],\n                 \"cout\": 3}]}", new JobFileOptions { FileName = "j.json" }).Errors));

    [Theory]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("")]
    [InlineData("nul")]
    [InlineData("{\"a\": \"\\ud800\"}")]
    [InlineData("{\"segments\": null, \"params\": null, \"defaults\": null}")]
    public void Broken_JSON_is_an_error_not_an_exception(string json) =>
        Assert.NotEmpty(JobFile.Read(json, new JobFileOptions { FileName = "j.json" }).Errors);

    [Theory]
    [InlineData("{\"segments\":null}")]
    [InlineData("{\"segments\":[null]}")]
    [InlineData("{\"segments\":[{\"inputs\":{\"a\":null}}]}")]
    [InlineData("{\"segments\":[{\"env\":null}]}")]
    [InlineData("{\"segments\":[{\"items\":null}]}")]
    [InlineData("{\"segments\":[{\"command\":[null]}]}")]
    [InlineData("{\"segments\":[{\"timeout\":{}}]}")]
    [InlineData("{\"segments\":[{\"retries\":99999999999}]}")]
    [InlineData("{\"name\":\"a\",\"name\":\"b\"}")]
    [InlineData("null")]
    [InlineData("[1]")]
    public void Hostile_JSON_from_the_wire_is_refused(string json)
    {
        bool read = JobJson.TryRead(System.Text.Encoding.UTF8.GetBytes(json), out JobSpec? job, out string? error);
        Assert.True(!read ? error!.Length > 0 : JobRules.Check(JobForm.Complete(job!)).Length > 0);
    }

    [Fact]
    public void Unknown_fields_on_the_wire_are_tolerated() =>
        Assert.True(JobJson.TryRead("""{"name":"a","later":{"x":1},"segments":[{"name":"s","command":["x"],"later":2}]}"""u8, out JobSpec? _, out _));

    [Fact]
    public void Cutting_a_job_file_anywhere_gives_errors_or_a_job_and_never_an_exception()
    {
        string yaml = File.ReadAllText(Repository.Path("examples/mergesort/job.yaml"));
        for (int length = 0; length < yaml.Length; length += 7)
        {
            JobFileResult result = JobFile.Read(yaml[..length], new JobFileOptions());
            Assert.Equal(result.Job is null, result.Errors.Length > 0);
        }
    }

    private static JobFileResult Result(string text, (string, string)[] given) => JobFile.Read(text, new JobFileOptions
    {
        CurrentFolder = "/home/me",
        Params = JobJson.EmptyMap<string>().AddRange(given.Select(g => KeyValuePair.Create(g.Item1, g.Item2))),
    });

    private static JobSpec Read(string text, params (string, string)[] given)
    {
        JobFileResult result = Result(text, given);
        Assert.Empty(result.Errors);
        return result.Job!;
    }

    private static string Errors(string text, params (string, string)[] given) => string.Join('\n', Result(text, given).Errors);
}
