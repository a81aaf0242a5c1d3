package v1alpha1

import (
	"encoding/json"
)

// UnmarshalJSON reads the items that are strings and passes over everything else, also over a value that is no object.
// The schema of the CRD refuses such input; should it arrive all the same (the schema is not ours, or older than the
// object), one bad object must not stop the decoding of a list or a watch (contract A1).
func (e *EncryptedData) UnmarshalJSON(data []byte) error {
	var items map[string]json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil || items == nil {
		*e = nil
		return nil
	}
	read := make(EncryptedData, len(items))
	for key, value := range items {
		var text *string
		if err := json.Unmarshal(value, &text); err == nil && text != nil {
			read[key] = *text
		}
	}
	*e = read
	return nil
}
