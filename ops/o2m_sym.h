/* o2m_sym.h - external names of kernels are written O2M_SYM(name). This default leaves them alone; the code generator
 * writes one per model that adds the model's prefix, so that two models link into one program. */
#ifndef O2M_SYM_H_
#define O2M_SYM_H_
#ifndef O2M_SYM
#define O2M_SYM(name) name
#endif
#endif
