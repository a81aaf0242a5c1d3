package directory

import "testing"

func TestNothingIsLostSilently(t *testing.T) {
	const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for _, tc := range []struct{ reason, name, text string }{
		{"a broken document after a good one", "a.yaml", `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}` + "\n---\nx: [\n"},
		{"a document that is no object after a good one", "a.yaml", good + "---\njust text\n"},
		{"two objects in a JSON file", "a.json", `{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}} {"apiVersion":"v1","kind":"B","metadata":{"name":"b"}}`},
	} {
		if objects, err := parse(tc.name, []byte(tc.text)); err == nil {
			t.Errorf("%s: %d objects and no error", tc.reason, len(objects))
		}
	}
	if objects, err := parse("a.yaml", []byte(good+"---\n"+good)); err != nil || len(objects) != 2 {
		t.Errorf("two good documents: %d objects, %v", len(objects), err)
	}
}
