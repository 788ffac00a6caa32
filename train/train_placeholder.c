typedef int rh_train_placeholder;
