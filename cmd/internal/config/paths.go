package config

import (
	"path/filepath"
	"reflect"
)

// resolvePaths makes the paths in a section relative to a folder, that of the file which names them.
// Paths are the values of keys with the tag path.
func resolvePaths(v reflect.Value, folder string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			resolvePaths(v.Elem(), folder)
		}
	case reflect.Slice:
		for i := range v.Len() {
			resolvePaths(v.Index(i), folder)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("path") != "" {
				resolvePath(v.Field(i), folder)
			} else if f.IsExported() {
				resolvePaths(v.Field(i), folder)
			}
		}
	}
}

// resolvePath resolves one path, or a list of them.
func resolvePath(v reflect.Value, folder string) {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			resolvePath(v.Index(i), folder)
		}
		return
	}
	if path := v.String(); path != "" && !filepath.IsAbs(path) {
		v.SetString(filepath.Join(folder, path))
	}
}
