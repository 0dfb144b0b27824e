using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Drap.Core.Jobs;

/// <summary>
/// Checks nodes of a job file against the record types, as their JSON contract describes them, and makes the JSON that the contract reads:
/// so fields, forms and the schema have one source, and each error has its place. It goes on after an error to find them all.
/// </summary>
internal sealed class SpecReader(TemplateLookup lookup, Func<string, IEnumerable<string>> namesOf, ICollection<(JobNode Node, JobProblem Problem)> problems)
{
    /// <summary>A reader of files in which <c>${…}</c> names nothing.</summary>
    public SpecReader(ICollection<(JobNode Node, JobProblem Problem)> problems) : this(NoName, _ => [], problems)
    {
    }

    /// <summary>Reads a node as <typeparamref name="T"/>; null if anything in it is wrong.</summary>
    public T? Read<T>(JobNode node, string path, IEnumerable<string>? skip = null) where T : class
    {
        int before = problems.Count;
        JsonObject? json = Object(node, typeof(T), path, late: false, [.. skip ?? []]);
        if (json is null)
            return null;
        try
        {
            return json.Deserialize(JobJson.TypeInfo<T>());
        }
        catch (JsonException e)
        {
            if (problems.Count == before)
                Add(node, path, e.Message, "");
            return null;
        }
    }

    private JsonNode? Value(JobNode node, Type type, string path, bool late)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
            return Text(node, path, "a text", late);
        if (type == typeof(CommandSpec))
            return Command(node, path, late);
        if (type == typeof(ItemSpec))
            return node.Kind == JobNodeKind.Mapping
                ? Map(node, typeof(string), path, late: false)
                : Text(node, path, "a text, or named texts", late: false);
        if (type.IsGenericType)
            return type.GetGenericTypeDefinition() == typeof(ImmutableArray<>)
                ? List(node, type.GenericTypeArguments[0], path, late)
                : Map(node, type.GenericTypeArguments[1], path, late);
        return Form(type) is { } form ? Formed(node, form, path) : Object(node, type, path, late, []);
    }

    private static ITextForm? Form(Type type) => type switch
    {
        _ when type == typeof(bool) => BoolForm.Instance,
        _ when type == typeof(int) => IntForm.Instance,
        _ when type == typeof(long) => LongForm.Instance,
        _ => JobJson.Options.GetConverter(type) as ITextForm,
    };

    private JsonValue? Formed(JobNode node, ITextForm form, string path)
    {
        string? text = Text(node, path, form.Form, late: false)?.GetValue<string>();
        if (text is null)
            return null;
        if (!form.Accepts(text))
        {
            bool isDriver = form is WordConverter<Driver>;
            string found = isDriver && FieldWords.Later(text) is { } what ? $"not supported yet in this version: {what}" : $"found '{text}'";
            Add(node, path, found, form.Form);
            return null;
        }
        return form switch
        {
            BoolForm => JsonValue.Create(text == "true"),
            IntForm or LongForm => JsonValue.Create(LongForm.Parse(text)),
            _ => JsonValue.Create(text),
        };
    }

    private JsonValue? Text(JobNode node, string path, string form, bool late)
    {
        if (node.Kind != JobNodeKind.Scalar)
        {
            Add(node, path, "found " + node.Describe(), node.Kind == JobNodeKind.Null && form == "a text" ? "a text; \"\" is the empty one" : form);
            return null;
        }
        if (node.Text.Length > JobLimits.TextLengthMax)
        {
            Add(node, path, $"a text of {node.Text.Length} characters", $"at most {JobLimits.TextLengthMax}");
            return null;
        }
        if (!node.Text.Contains("${{", StringComparison.Ordinal))
            return JsonValue.Create(node.Text);
        if (!Template.TryParse(node.Text, out Template? template, out string? error) || !template.TryBind(lookup, out Template? bound, out error))
        {
            Add(node, path, error, "");
            return null;
        }
        // A later phase knows nothing of these.
        string? missing = bound.Names().FirstOrDefault(n => namesOf(n.Split('.')[0]).Any());
        if (late && missing is null)
            return JsonValue.Create(bound.ToString());
        if (missing is not null)
        {
            AddUnknownName(node, path, missing);
            return null;
        }
        if (bound.TryEvaluate(lookup, out string? text, out error))
            return JsonValue.Create(text);
        if (bound.Names() is [string unknown, ..])
            AddUnknownName(node, path, unknown);
        else
            Add(node, path, error, "");
        return null;
    }

    private void AddUnknownName(JobNode node, string path, string name)
    {
        string root = name.Split('.')[0];
        IEnumerable<string> known = namesOf(root);
        if (known.Any())
            Add(node, path, $"'{name}' is not known", FieldWords.Instead(name, known));
        else
            Add(node, path, $"'{name}' is known only when a task starts", "here, params and the counts of segments above");
    }

    private JsonNode? Command(JobNode node, string path, bool late) =>
        node.Kind == JobNodeKind.Sequence
            ? List(node, typeof(string), path, late)
            : Text(node, path, "a list (a program and its arguments) or a text (a script for sh)", late);

    private JsonArray? List(JobNode node, Type type, string path, bool late)
    {
        if (node.Kind != JobNodeKind.Sequence)
        {
            Add(node, path, "found " + node.Describe(), node.Kind == JobNodeKind.Scalar ? $"a list: [{node.Text}]" : "a list");
            return null;
        }
        var list = new JsonArray();
        for (int i = 0; i < node.Items.Length; i++)
            if (Value(node.Items[i], type, $"{path}[{i}]", late) is { } item)
                list.Add(item);
        return list;
    }

    private JsonObject? Map(JobNode node, Type type, string path, bool late)
    {
        if (node.Kind != JobNodeKind.Mapping)
        {
            Add(node, path, "found " + node.Describe(), "names with their values");
            return null;
        }
        var map = new JsonObject();
        foreach (JobField field in node.Fields)
            if (Value(field.Value, type, $"{path}.{field.Name}", late) is { } value)
                map.Add(field.Name, value);
        return map;
    }

    private JsonObject? Object(JobNode node, Type type, string path, bool late, ImmutableArray<string> skip)
    {
        JsonTypeInfo contract = JobJson.Options.GetTypeInfo(type);
        if (node.Kind == JobNodeKind.Scalar && type.GetCustomAttributes(typeof(ScalarFormAttribute), false) is [ScalarFormAttribute scalar])
            return Scalar(node, contract, scalar.Field, path);
        if (node.Kind != JobNodeKind.Mapping)
        {
            Add(node, path, "found " + node.Describe(), "fields: " + string.Join(", ", contract.Properties.Select(p => p.Name)));
            return null;
        }
        var json = new JsonObject();
        foreach (JobField field in node.Fields)
        {
            if (skip.Contains(field.Name))
                continue;
            string fieldPath = path.Length == 0 ? field.Name : $"{path}.{field.Name}";
            if (contract.Properties.FirstOrDefault(p => p.Name == field.Name) is not { } property)
                AddUnknownField(field, fieldPath, contract);
            else if (Value(field.Value, property.PropertyType, fieldPath, late || IsLate(property)) is { } value)
                json.Add(field.Name, value);
        }
        return json;
    }

    private JsonObject Scalar(JobNode node, JsonTypeInfo contract, string field, string path)
    {
        if (contract.Type == typeof(InputSpec) && node.Text.StartsWith("ipfs://", StringComparison.Ordinal))
            field = "cid";
        JsonPropertyInfo property = contract.Properties.First(p => p.Name == field);
        var json = new JsonObject();
        if (Value(node, property.PropertyType, path, IsLate(property)) is { } value)
            json.Add(field, value);
        if (contract.Type == typeof(ParamSpec) && node.IsQuoted)
            json.Add("type", "string");
        return json;
    }

    private static bool IsLate(JsonPropertyInfo property) => property.AttributeProvider!.IsDefined(typeof(LateAttribute), false);

    private void AddUnknownField(JobField field, string path, JsonTypeInfo contract)
    {
        if (FieldWords.Later(field.Name) is { } what)
            Add(field.Key, path, $"not supported yet in this version: {what}", "");
        else
            Add(field.Key, path, $"unknown field '{field.Name}'", FieldWords.Instead(field.Name, contract.Properties.Select(p => p.Name)));
    }

    private void Add(JobNode node, string path, string found, string allowed) => problems.Add((node, new JobProblem(path, found, allowed)));

    private sealed class BoolForm : ITextForm
    {
        public static readonly BoolForm Instance = new();

        public string Form => "true or false";

        public bool Accepts(string text) => text is "true" or "false";
    }

    private sealed class IntForm : ITextForm
    {
        public static readonly IntForm Instance = new();

        public string Form => "a whole number of 32 bits";

        public bool Accepts(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
    }

    private sealed class LongForm : ITextForm
    {
        public static readonly LongForm Instance = new();

        public string Form => "a whole number of 64 bits";

        public static long Parse(string text) => long.Parse(text, CultureInfo.InvariantCulture);

        public bool Accepts(string text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
    }

    private static bool NoName(string name, out TemplateValue value)
    {
        value = default;
        return false;
    }
}
