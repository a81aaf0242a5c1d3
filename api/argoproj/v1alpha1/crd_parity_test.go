package v1alpha1_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/crd"
)

// parityExceptions are the properties that differ from the reference on purpose, as "kind path column", with the reason.
var parityExceptions = map[string]string{}

func bases(file string) string { return "../../../config/crd/bases/" + file }

func crdFile(kind string) string { return bases("argoproj.io_" + strings.ToLower(kind) + "s.yaml") }

// referenceCRD is one entry of crds.yaml.
type referenceCRD struct {
	Kind       string            `json:"kind"`
	Group      string            `json:"group"`
	ListKind   string            `json:"listKind"`
	Plural     string            `json:"plural"`
	Singular   string            `json:"singular"`
	ShortNames []string          `json:"shortNames"`
	Categories []string          `json:"categories"`
	Scope      string            `json:"scope"`
	Preserve   bool              `json:"preserveUnknownFields"`
	Versions   []referenceServed `json:"versions"`
	Labels     map[string]string `json:"labels"`
	Rows       int               `json:"rows"`
	Nodes      int               `json:"schemaNodes"`
}

type referenceServed struct {
	Name           string                                           `json:"name"`
	Served         bool                                             `json:"served"`
	Storage        bool                                             `json:"storage"`
	Subresources   apiextensionsv1.CustomResourceSubresources       `json:"subresources"`
	PrinterColumns []apiextensionsv1.CustomResourceColumnDefinition `json:"printerColumns"`
}

func referenceCRDs(t *testing.T) []referenceCRD {
	t.Helper()
	var file struct {
		CRDs []referenceCRD `json:"crds"`
	}
	conformance.Load(t, &file, "crd-schema", "crds.yaml")
	if len(file.CRDs) != 3 {
		t.Fatalf("crds.yaml describes %d CRDs, want 3", len(file.CRDs))
	}
	return file.CRDs
}

func TestCRDNamesAndColumnsEqualTheReference(t *testing.T) {
	for _, want := range referenceCRDs(t) {
		t.Run(want.Kind, func(t *testing.T) {
			d := crd.Load(t, crdFile(want.Kind))
			v := d.Spec.Versions[0]
			served := referenceServed{
				Name: v.Name, Served: v.Served, Storage: v.Storage, PrinterColumns: v.AdditionalPrinterColumns,
			}
			if v.Subresources != nil {
				served.Subresources = *v.Subresources
			}
			got := referenceCRD{
				Kind: d.Spec.Names.Kind, Group: d.Spec.Group, ListKind: d.Spec.Names.ListKind, Plural: d.Spec.Names.Plural,
				Singular: d.Spec.Names.Singular, ShortNames: d.Spec.Names.ShortNames, Categories: d.Spec.Names.Categories,
				Scope: string(d.Spec.Scope), Preserve: d.Spec.PreserveUnknownFields, Labels: d.Labels,
				Versions: []referenceServed{served}, Rows: want.Rows, Nodes: len(table(t, d)),
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("CRD differs from the reference (-want +got):\n%s", diff)
			}
			if name := want.Plural + "." + want.Group; d.Name != name {
				t.Errorf("CRD is named %q, want %q", d.Name, name)
			}
		})
	}
}

func TestCRDSchemaEqualsTheReference(t *testing.T) {
	used := map[string]bool{}
	for _, reference := range referenceCRDs(t) {
		t.Run(reference.Kind, func(t *testing.T) {
			got, want := table(t, crd.Load(t, crdFile(reference.Kind))), referenceTable(t, reference)
			for path, row := range want {
				if _, ok := got[path]; !ok {
					t.Errorf("schema lacks %s", path)
					continue
				}
				for column, value := range row {
					key := reference.Kind + " " + path + " " + column
					if got[path][column] == value {
						continue
					}
					if used[key] = true; parityExceptions[key] == "" {
						t.Errorf("%s: %s is %q, want %q", path, column, got[path][column], value)
					}
				}
			}
			for path := range got {
				if _, ok := want[path]; !ok {
					t.Errorf("schema has %s, which the reference has not", path)
				}
			}
		})
	}
	for key := range parityExceptions {
		if !used[key] {
			t.Errorf("exception %q is no longer needed", key)
		}
	}
}

// row maps the columns of the reference tables to their values.
type row map[string]string

// columns maps the columns of the reference tables to keywords of a schema. Columns that need more are set by emit.
var columns = map[string]string{
	"type": "type", "format": "format", "enum": "enum", "pattern": "pattern", "minimum": "minimum",
	"maximum": "maximum", "minLength": "minLength", "maxLength": "maxLength", "minItems": "minItems",
	"maxItems": "maxItems", "default": "default", "nullable": "nullable",
	"preserveUnknown": "x-kubernetes-preserve-unknown-fields", "intOrString": "x-kubernetes-int-or-string",
	"listType": "x-kubernetes-list-type", "listMapKeys": "x-kubernetes-list-map-keys",
	"mapType": "x-kubernetes-map-type", "validations": "x-kubernetes-validations",
}

// table walks the schema of a CRD and gives a row for each property path.
func table(t *testing.T, d *crd.Definition) map[string]row {
	t.Helper()
	data, err := json.Marshal(d.Spec.Versions[0].Schema.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("write schema of %s: %v", d.Name, err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatalf("read schema of %s: %v", d.Name, err)
	}
	rows := map[string]row{}
	emit(rows, schema, "", false)
	return rows
}

func emit(rows map[string]row, schema map[string]any, path string, required bool) {
	r := row{"required": ""}
	if required {
		r["required"] = "true"
	}
	other := map[string]any{}
	for keyword, value := range schema {
		switch keyword {
		case "properties", "items", "additionalProperties", "required", "description":
		default:
			other[keyword] = value
		}
	}
	for column, keyword := range columns {
		r[column] = text(schema[keyword])
		delete(other, keyword)
	}
	r["other"] = ""
	if len(other) > 0 {
		r["other"] = text(other)
	}
	if path == "" {
		rows["."] = r
	} else {
		rows[path] = r
	}
	properties, _ := schema["properties"].(map[string]any)
	requiredNames, _ := schema["required"].([]any)
	for name, property := range properties {
		child, _ := property.(map[string]any)
		emit(rows, child, path+"."+name, slices.Contains(requiredNames, any(name)))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		emit(rows, items, path+"[]", false)
	}
	switch values := schema["additionalProperties"].(type) {
	case map[string]any:
		emit(rows, values, path+"{}", false)
	case bool:
		rows[path+"{}"] = row{"type": "any:" + text(values)}
	}
}

// text is a value as it stands in the tables: a string as it is, everything else as JSON.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// referenceTable reads a table and copies the rows below each reference to the path that refers.
func referenceTable(t *testing.T, reference referenceCRD) map[string]row {
	t.Helper()
	data, err := os.ReadFile(conformance.Path(t, "crd-schema", strings.ToLower(reference.Kind)+".tsv"))
	if err != nil {
		t.Fatalf("read reference table: %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	header := strings.Split(lines[0], "\t")
	rows := map[string]row{}
	var order []string
	add := func(path string, r row) {
		if _, ok := rows[path]; !ok {
			order = append(order, path)
		}
		rows[path] = r
	}
	for _, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		path, ref, r := cells[0], cells[len(cells)-1], row{}
		for i := 1; i < len(cells)-1; i++ {
			r[header[i]] = canonical(header[i], cells[i])
		}
		add(path, r)
		if ref == "" {
			continue
		}
		for _, from := range slices.Clone(order) {
			if rest, ok := strings.CutPrefix(from, ref); ok && rest != "" && strings.ContainsAny(rest[:1], ".[{") {
				add(path+rest, rows[from])
			}
		}
	}
	if len(lines)-1 != reference.Rows || len(rows) != reference.Nodes {
		t.Fatalf("table of %s has %d rows for %d nodes, want %d for %d", reference.Kind, len(lines)-1, len(rows),
			reference.Rows, reference.Nodes)
	}
	return rows
}

// canonical writes the columns that hold JSON as this test does.
func canonical(column, cell string) string {
	if cell == "" || !slices.Contains([]string{"enum", "default", "other", "validations", "listMapKeys"}, column) {
		return cell
	}
	var value any
	if err := json.Unmarshal([]byte(cell), &value); err != nil {
		return cell
	}
	return text(value)
}

func TestApplicationSetCRDFitsIntoOneObject(t *testing.T) {
	const limit = 1_500_000 // bytes; what etcd takes by default, less than 1.5 MiB to leave room
	data, err := os.ReadFile(crdFile("ApplicationSet"))
	if err != nil {
		t.Fatalf("read CRD: %v", err)
	}
	if len(data) >= limit {
		t.Errorf("CRD of ApplicationSet has %d bytes, want less than %d", len(data), limit)
	}
}
