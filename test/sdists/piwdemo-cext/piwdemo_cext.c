/* squeeze(bytes) -> bytes: zlib's best effort. The smallest extension that needs a shared library of the system. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <zlib.h>

static PyObject *squeeze(PyObject *self, PyObject *args)
{
    const char *data;
    Py_ssize_t size;
    (void)self;
    if (!PyArg_ParseTuple(args, "y#", &data, &size))
        return NULL;
    uLongf room = compressBound((uLong)size);
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
    if (result == NULL)
        return NULL;
    if (compress2((Bytef *)PyBytes_AS_STRING(result), &room, (const Bytef *)data, (uLong)size, 9) != Z_OK) {
        Py_DECREF(result);
        PyErr_SetString(PyExc_ValueError, "zlib refused the data");
        return NULL;
    }
    if (_PyBytes_Resize(&result, (Py_ssize_t)room) != 0)
        return NULL;
    return result;
}

static PyMethodDef methods[] = {{"squeeze", squeeze, METH_VARARGS, "Squeeze bytes with zlib."}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "piwdemo_cext", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_piwdemo_cext(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddStringConstant(made, "__version__", "@VERSION@") != 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
