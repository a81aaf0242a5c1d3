package v1alpha1

import (
	"encoding/json"
)

// UnmarshalJSON reads the items that are strings and passes over everything else, also over a value that is no object.
// The schema of the CRD refuses such input; should it arrive all the same (the schema is not ours, or older than the
// object), one bad object must not stop the decoding of a list or a watch (contract A1).
func (e *EncryptedData) UnmarshalJSON(data []byte) error {
	*e = nil
	items := itemsOf(data)
	if items == nil {
		return nil
	}
	*e = make(EncryptedData, len(items))
	for key, value := range items {
		var text *string
		if json.Unmarshal(value, &text) == nil && text != nil {
			(*e)[key] = *text
		}
	}
	return nil
}

// itemsOf are the members of an object, nil for every other value.
func itemsOf(data []byte) map[string]json.RawMessage {
	var items map[string]json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		return nil
	}
	return items
}
