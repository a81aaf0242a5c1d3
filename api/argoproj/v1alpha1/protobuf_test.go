package v1alpha1_test

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// omitemptyExceptions are the fields whose JSON is left out by another rule than the reference's, with the reason.
var omitemptyExceptions = map[string]string{
	"AppProjectSpec.namespaceResourceWhitelist": "absent permits all kinds and [] permits none (contract 7); with " +
		"omitempty a program that reads and writes a project would turn the one into the other",
}

// protoField is one row of the field table.
type protoField struct {
	message, name, typ, label, wire, jsonName, goField string
	number                                             int
	omitempty                                          bool
}

func protoMessages(t *testing.T) map[string][]protoField {
	t.Helper()
	data, err := os.ReadFile(conformance.Path(t, "protobuf", "v1alpha1-fields.tsv"))
	if err != nil {
		t.Fatalf("read field table: %v", err)
	}
	messages := map[string][]protoField{}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")[1:] {
		c := strings.Split(line, "\t")
		if c[1] == "" {
			messages[c[0]] = nil
			continue
		}
		number, err := strconv.Atoi(c[2])
		if err != nil {
			t.Fatalf("field table: %s.%s has the number %q", c[0], c[1], c[2])
		}
		messages[c[0]] = append(messages[c[0]], protoField{
			message: c[0], name: c[1], number: number, typ: c[3], label: c[4], wire: c[5], jsonName: c[6],
			omitempty: c[7] == "true", goField: strings.TrimSuffix(c[8], "_"),
		})
	}
	return messages
}

var roots = []reflect.Type{
	reflect.TypeFor[argov1.ApplicationList](),
	reflect.TypeFor[argov1.AppProjectList](),
	reflect.TypeFor[argov1.ApplicationSetList](),
}

// goMessages are the structs of our package that the roots reach, by name.
func goMessages() map[string]reflect.Type {
	found := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(typ.Elem())
		case reflect.Map:
			visit(typ.Elem())
		case reflect.Struct:
			if typ.PkgPath() != roots[0].PkgPath() || found[typ.Name()] != nil {
				return
			}
			found[typ.Name()] = typ
			for field := range typ.Fields() {
				visit(field.Type)
			}
		}
	}
	for _, root := range roots {
		visit(root)
	}
	return found
}

func TestEveryMessageOfTheClosureExists(t *testing.T) {
	messages, ours := protoMessages(t), goMessages()
	seen := map[string]bool{}
	var visit func(name, from string)
	visit = func(name, from string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if ours[name] == nil {
			t.Errorf("no Go type for message %s, which %s needs", name, from)
		}
		for _, field := range messages[name] {
			typ := field.typ
			if inner, ok := strings.CutPrefix(typ, "map<string,"); ok {
				typ = strings.TrimSuffix(inner, ">")
			}
			if _, ok := messages[typ]; ok {
				visit(typ, name)
			}
		}
	}
	for _, root := range roots {
		visit(root.Name(), "the API")
	}
	for name := range ours {
		if !seen[name] && name != "JSON" { // JSON is a message of apiextensions, kept here to spare its imports
			t.Errorf("Go type %s is no message that an Application, AppProject or ApplicationSet reaches", name)
		}
	}
	if len(seen) < 100 {
		t.Errorf("the closure has %d messages: the field table is not what this test takes it for", len(seen))
	}
}

func TestFieldsEqualTheProtobufTable(t *testing.T) {
	messages := protoMessages(t)
	used := map[string]bool{}
	for name, typ := range goMessages() {
		if name == "JSON" {
			continue
		}
		fields := map[string]reflect.StructField{}
		for field := range typ.Fields() {
			if field.Name != "TypeMeta" { // part of no message
				fields[field.Name] = field
			}
		}
		for _, want := range messages[name] {
			field, ok := fields[want.goField]
			if !ok {
				t.Errorf("%s has no Go field %s", name, want.goField)
				continue
			}
			delete(fields, want.goField)
			checkProtobuf(t, want, field)
			checkJSON(t, want, field, used)
		}
		for extra := range fields {
			t.Errorf("%s.%s is no field of the message", name, extra)
		}
	}
	for key := range omitemptyExceptions {
		if !used[key] {
			t.Errorf("exception %q is no longer needed", key)
		}
	}
}

var protobufTag = regexp.MustCompile(`^(bytes|varint),(\d+),(opt|rep),name=(\w+)$`)

func checkProtobuf(t *testing.T, want protoField, field reflect.StructField) {
	t.Helper()
	tag := protobufTag.FindStringSubmatch(field.Tag.Get("protobuf"))
	if tag == nil {
		t.Errorf("%s.%s has the protobuf tag %q", want.message, field.Name, field.Tag.Get("protobuf"))
		return
	}
	if wire := map[string]string{"bytes": "len", "varint": "varint"}[tag[1]]; wire != want.wire {
		t.Errorf("%s.%s has wire type %s in its tag, want %s", want.message, field.Name, wire, want.wire)
	}
	if wire := wireOf(field.Type); wire != want.wire {
		t.Errorf("%s.%s is a %s, which goes as %s, want %s", want.message, field.Name, field.Type, wire, want.wire)
	}
	if tag[2] != strconv.Itoa(want.number) {
		t.Errorf("%s.%s has number %s, want %d", want.message, field.Name, tag[2], want.number)
	}
	repeated := want.label == "repeated" || want.label == "map"
	if (tag[3] == "rep") != repeated || isRepeated(field.Type) != repeated {
		t.Errorf("%s.%s is a %s tagged %q, want %s", want.message, field.Name, field.Type, tag[3], want.label)
	}
	if tag[4] != want.name {
		t.Errorf("%s.%s has the name %s, want %s", want.message, field.Name, tag[4], want.name)
	}
}

func wireOf(typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ.Kind() {
	case reflect.Bool, reflect.Int64, reflect.Int32:
		return "varint"
	case reflect.String, reflect.Struct, reflect.Slice, reflect.Map:
		return "len"
	}
	return "unknown"
}

func isRepeated(typ reflect.Type) bool {
	return typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map
}

func checkJSON(t *testing.T, want protoField, field reflect.StructField, used map[string]bool) {
	t.Helper()
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	if want.jsonName == "(inline)" {
		if name != "" || options != "inline" || !field.Anonymous {
			t.Errorf("%s.%s is not inline in JSON", want.message, field.Name)
		}
		return
	}
	if name != want.jsonName {
		t.Errorf("%s.%s is %q in JSON, want %q", want.message, field.Name, name, want.jsonName)
	}
	if (options == "omitempty") != want.omitempty {
		key := want.message + "." + want.jsonName
		if used[key] = true; omitemptyExceptions[key] == "" {
			t.Errorf("%s.%s has the JSON options %q, want omitempty to be %t", want.message, field.Name, options,
				want.omitempty)
		}
	}
}
