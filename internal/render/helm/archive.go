package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// maxArchives is how many archives may be within each other.
const maxArchives = 8

// unpack puts the files of the archives in charts folders in the place of the archives, so that all of a chart is read
// within one budget. The library takes the name behind charts/ only to tell charts apart.
func unpack(files []*archive.BufferedFile, left *budget, within int) ([]*archive.BufferedFile, error) {
	var unpacked []*archive.BufferedFile
	for _, file := range files {
		base := path.Base(file.Name)
		if path.Base(path.Dir(file.Name)) != "charts" || path.Ext(base) != ".tgz" || strings.IndexAny(base, "_.") == 0 {
			unpacked = append(unpacked, file)
			continue
		}
		if within == maxArchives {
			return nil, fmt.Errorf("%s: charts are packed within each other more than %d times", file.Name, maxArchives)
		}
		inner, err := readArchive(file.Data, left)
		if err == nil {
			inner, err = unpack(inner, left, within+1)
		}
		if err != nil {
			return nil, fmt.Errorf("error unpacking subchart %s: %w", file.Name, err)
		}
		for _, f := range inner {
			f.Name = file.Name + "!/" + f.Name
			unpacked = append(unpacked, f)
		}
	}
	return unpacked, nil
}

var (
	errOutside = errors.New("the archive has a file outside of the chart's folder")
	errNoChart = errors.New("the archive has no files")
)

// readArchive reads the files of a packed chart, below its one folder. What is no plain file, such as a link, is left out:
// nothing can lead out of the archive.
func readArchive(data []byte, left *budget) ([]*archive.BufferedFile, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var files []*archive.BufferedFile
	// The budget also bounds what lies between the files: a tar can be headers alone.
	reader := tar.NewReader(io.LimitReader(unzipped, left.bytes+archiveOverhead))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := left.entry(header.Name); err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		_, name, inFolder := strings.Cut(strings.TrimPrefix(strings.ReplaceAll(header.Name, `\`, "/"), "./"), "/")
		if name = path.Clean(name); !inFolder || path.IsAbs(name) || name == ".." || name == "." || strings.HasPrefix(name, "../") {
			return nil, errOutside
		}
		if err := left.take(header.Name, header.Size); err != nil {
			return nil, err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		files = append(files, &archive.BufferedFile{Name: name, ModTime: header.ModTime, Data: trimMark(content)})
	}
	if len(files) == 0 {
		return nil, errNoChart
	}
	return files, nil
}

// archiveOverhead is how much an archive may hold besides the content of its files, in bytes.
const archiveOverhead = 16 << 20
